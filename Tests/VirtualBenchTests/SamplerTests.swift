import KelvinModel
import Testing

@testable import KelvinConnections

/// The sampler on virtual boards, through their own sshd: other kernels, other clocks than here.
enum SamplerOnBoard {
  static func connection(_ board: VirtualGuest) throws -> any Connection {
    try Connections.make(
      DriverChoice(
        "ssh",
        options: [
          "host": "127.0.0.1", "port": .integer(Int64(try board.port("ssh_port"))),
          "config": .text(board.folder + "/ssh_config")
        ], location: SourceLocation(file: "test")))
  }

  /// Samples for a while, kept on the board or sent at once, and checks what must hold on any board.
  static func check(_ board: VirtualGuest, files: [TargetPath], buffer: Int?) async throws {
    let connection = try connection(board)
    let source = try await connection.sampler(
      SamplePlan(
        files: files, periodNanoseconds: 10_000_000, onBoard: .always, buffer: buffer))
    let before = MonotonicTime.now.nanoseconds
    try await source.start()
    let deadline = Deadline.after(seconds: 2)
    var samples: [Sample] = []
    while !deadline.hasPassed {
      try await Task.sleep(for: .milliseconds(100))
      samples += source.drain()
    }
    #expect(samples.isEmpty == (buffer != nil))
    let summary = await source.stop()
    let after = MonotonicTime.now.nanoseconds
    samples += source.drain()
    #expect(summary.isRealtime, "\(summary.note)")
    #expect(summary.ticks >= 50 && summary.lostSamples == 0)
    #expect(samples.count == Int(summary.ticks - summary.overruns) * files.count)
    #expect(samples.allSatisfy { $0.status == .ok })
    // The guest's clock began with the guest: without the mapping no time would be in the window.
    let fit = try #require(summary.clock)
    let bound = try #require(summary.clockBound)
    #expect(abs(fit.offset) > 1_000_000_000)
    #expect(bound > 0 && bound < 200_000_000)
    #expect(samples.allSatisfy { $0.nanoseconds >= before - bound })
    #expect(samples.allSatisfy { $0.nanoseconds <= after + bound })
    #expect(samples.map(\.nanoseconds) == samples.map(\.nanoseconds).sorted())
    let probe = try #require(summary.probe)
    #expect(summary.cpuNanoseconds ?? 0 > 0 && probe.window >= 1_500_000_000)
    #expect((probe.linkWakeUps ?? -1) >= 0 && (probe.boardForks ?? -1) >= 0)
    if buffer != nil {
      // No byte, and of the server's process nothing but what the command to start left it to do.
      #expect(probe.bytesOut == 0 && probe.bytesIn == 0)
      #expect((probe.linkWakeUps ?? .max) <= 5)
    }
    #expect(probe.wakeUps <= summary.ticks + 10)
    await connection.close()
    try VirtualGuest.wait("the end of the sampler on the board") {
      try board.run("ps w | grep -c '[k]elvin-sampler-' || :") == "0"
    }
  }
}

@Suite(
  .serialized, .needsGuests, .needsSampler("x86_64"), .guest("x86-a"), .timeLimit(.minutes(5)))
struct X86SamplerTests {
  @Test(arguments: [nil, 1 << 20])
  func samplesOnTheBoard(buffer: Int?) async throws {
    let board = try #require(VirtualGuest.current)
    try await SamplerOnBoard.check(
      board,
      files: ["/proc/uptime", "/sys/class/thermal/thermal_zone0/temp", "/proc/sys/kernel/pid_max"],
      buffer: buffer)
  }
}

@Suite(.serialized, .needsGuests, .needsSampler("aarch64"), .guest("arm"), .timeLimit(.minutes(5)))
struct ArmSamplerTests {
  @Test(arguments: [nil, 1 << 20])
  func samplesOnTheBoard(buffer: Int?) async throws {
    let board = try #require(VirtualGuest.current)
    let policy = "/sys/devices/system/cpu/cpufreq"
    try await SamplerOnBoard.check(
      board,
      files: [
        TargetPath("\(policy)/policy0/scaling_cur_freq"),
        TargetPath("\(policy)/policy2/scaling_cur_freq"), "/proc/uptime"
      ], buffer: buffer)
  }
}

extension Trait where Self == ConditionTrait {
  /// Skips where the sampler for an architecture was not built.
  static func needsSampler(_ folder: String) -> ConditionTrait {
    .enabled(
      if: SamplerProgram.find(folder) != nil, "scripts/build-sampler has not built \(folder)")
  }
}
