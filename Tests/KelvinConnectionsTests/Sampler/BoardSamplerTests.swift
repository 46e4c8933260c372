import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// The sampler's program itself, on a board that is this machine: so its clock is known to be the
/// host's own.
@Suite(.enabled(if: SamplerHere.obstacle == nil, "\(SamplerHere.obstacle ?? "")"))
struct BoardSamplerTests {
  static let kinds: [ConformanceKind] = ConformanceKind.allCases.filter {
    [.dash, .bash, .busybox, .mksh, .sshd, .sshdBusybox, .dropbear, .adbDirect].contains($0)
  }

  private func plan(
    _ files: [TargetPath], period: Int64 = 1_000_000, buffer: Int? = nil
  ) -> SamplePlan {
    SamplePlan(files: files, periodNanoseconds: period, onBoard: .always, buffer: buffer)
  }

  @Test(.timeLimit(.minutes(1)), arguments: kinds)
  func samplesOverEveryKindOfShell(kind: ConformanceKind) async throws {
    let scratch = try Scratch()
    try scratch.write("volts", Array(" -12.50 V\n".utf8))
    try scratch.write("text", Array("hello".utf8))
    let connection = try kind.connection()
    for buffer in [nil, 1 << 20] {
      let source = try await connection.sampler(
        plan(
          ["/proc/sys/kernel/pid_max", "/no/such", "/proc/self/mem"]
            + ["volts", "text"].map { TargetPath("\(scratch.path)/\($0)") }, buffer: buffer))
      let before = MonotonicTime.now.nanoseconds
      try await source.start()
      try await Task.sleep(for: .milliseconds(300))
      let early = source.drain()
      let summary = await source.stop()
      let after = MonotonicTime.now.nanoseconds
      let samples = early + source.drain()
      #expect(early.isEmpty == (buffer != nil))
      #expect(summary.ticks >= 100 && summary.lostSamples == 0)
      #expect(Int64(samples.count) == (summary.ticks - summary.overruns) * 5)
      #expect(samples.map(\.nanoseconds) == samples.map(\.nanoseconds).sorted())
      func all(_ channel: UInt16, _ status: Sample.Status, _ mantissa: Int64?) -> Bool {
        samples.filter { $0.channel == channel }.allSatisfy {
          $0.status == status && (mantissa == nil || $0.mantissa == mantissa)
        }
      }
      #expect(all(0, .ok, nil))
      #expect(all(1, .unreadable, Int64(ENOENT)))
      #expect(all(2, .unreadable, Int64(EIO)))
      #expect(all(3, .ok, -1250))
      #expect(all(4, .notNumber, 0))
      #expect(samples.first { $0.channel == 3 }?.value == -12.5)
      // It would have noticed a suspend, and there was none.
      #expect(source.suspensions().isEmpty && !summary.note.contains("suspend"), "\(summary.note)")
      // Both clocks are one: the mapping is right within what it says, and so is each time.
      let fit = try #require(summary.clock)
      let bound = try #require(summary.clockBound)
      let middle = before + (after - before) / 2
      #expect(abs(fit.host(middle) - middle) <= bound)
      #expect(samples.allSatisfy { $0.nanoseconds >= before - bound })
      #expect(samples.allSatisfy { $0.nanoseconds <= after + bound })
      #expect(fit.count >= 2)
      let probe = try #require(summary.probe)
      #expect(summary.cpuNanoseconds ?? 0 > 0)
      #expect(probe.wakeUps > 0 && probe.wakeUps <= summary.ticks + 10)
      #expect((probe.bytesOut == 0) == (buffer != nil))
      if buffer != nil { #expect(probe.bytesIn == 0) }
      if geteuid() == 0, kind != .adbDirect { #expect(summary.isRealtime) }
    }
    await connection.close()
  }

  /// Built for other architectures, by an emulator of processes on this kernel.
  @Test(
    .timeLimit(.minutes(1)),
    .enabled(if: access("/usr/bin/qemu-arm", X_OK) == 0, "there is no qemu-user"),
    arguments: [("armv7", "qemu-arm"), ("aarch64", "qemu-aarch64")])
  func samplesOnOtherArchitectures(folder: String, emulator: String) async throws {
    guard let binary = SamplerProgram.find(folder) else {
      // scripts/test installs the compilers; elsewhere there need be none.
      return
    }
    let scratch = try Scratch()
    try scratch.write("run", Array("#!/bin/sh\nexec \(emulator) '\(binary)' \"$@\"\n".utf8))
    chmod(scratch.path + "/run", 0o700)
    try scratch.write("great", Array("-9223372036854775807\n".utf8))
    for buffer in [nil, 1 << 16] {
      let source = try BoardSampler(
        plan(
          ["/proc/sys/kernel/pid_max", TargetPath(scratch.path + "/great"), "/no/such"],
          period: 5_000_000, buffer: buffer),
        transport: LocalShellTransport(argv: ["sh"]),
        program: TargetPath(scratch.path + "/run"), environment: [:], until: soon())
      let before = MonotonicTime.now.nanoseconds
      try await source.start()
      try await Task.sleep(for: .milliseconds(200))
      let summary = await source.stop()
      let after = MonotonicTime.now.nanoseconds
      let samples = source.drain()
      #expect(summary.ticks >= 10 && summary.lostSamples == 0)
      #expect(Int64(samples.count) == (summary.ticks - summary.overruns) * 3)
      #expect(samples.filter { $0.channel == 1 }.allSatisfy { $0.mantissa == -Int64.max })
      #expect(samples.filter { $0.channel == 2 }.allSatisfy { $0.mantissa == Int64(ENOENT) })
      let bound = try #require(summary.clockBound)
      #expect(samples.allSatisfy { $0.nanoseconds >= before - bound })
      #expect(samples.allSatisfy { $0.nanoseconds <= after + bound })
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func whatFindsNoRoomInItsBufferIsCounted() async throws {
    let connection = ShellConnection()
    // 8 KiB hold one frame.
    let source = try await connection.sampler(
      plan(["/proc/sys/kernel/pid_max", "/proc/uptime"], period: 100_000, buffer: 8192))
    try await source.start()
    try await Task.sleep(for: .milliseconds(400))
    let summary = await source.stop()
    let samples = source.drain()
    #expect(!samples.isEmpty)
    #expect(summary.lostSamples > 0)
    let taken = (summary.ticks - summary.overruns) * 2
    #expect(Int64(samples.count) + summary.lostSamples == taken)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func nothingIsLeftOnTheBoard() async throws {
    let connection = ShellConnection()
    /// This process's samplers that run: the shell has become the sampler.
    func running() -> Int {
      ProcessEntry.all().count { entry in
        guard entry.parent == getpid(), !entry.isZombie else { return false }
        let words = (try? LocalFile.read("/proc/\(entry.processID)/cmdline")) ?? []
        return String(decoding: words, as: UTF8.self).contains("kelvin-sampler")
      }
    }
    #expect(try await Self.becomes(0, running))
    // Let go of before it began, in its window, and after a stop.
    for step in 0..<3 {
      var source: (any SampleSource)? = try await connection.sampler(plan(["/proc/uptime"]))
      #expect(try await Self.becomes(1, running))
      if step > 0 { try await source?.start() }
      if step > 1 { _ = await source?.stop() }
      source = nil
      #expect(try await Self.becomes(0, running))
    }
    // Its own limit ends it, too.
    var limited = plan(["/proc/uptime"])
    limited.limitSeconds = 1
    let source = try await connection.sampler(limited)
    try await source.start()
    #expect(try await Self.becomes(0, running))
    let summary = await source.stop()
    #expect(summary.note.contains("lost"))
    #expect(summary.lostSamples >= 0 && summary.probe == nil)
    await connection.close()
  }

  private static func becomes(_ count: Int, _ running: () -> Int) async throws -> Bool {
    let deadline = Deadline.after(seconds: 20)
    while running() != count, !deadline.hasPassed { try await Task.sleep(for: .milliseconds(5)) }
    return running() == count
  }

  @Test(.timeLimit(.minutes(1)))
  func whatIsThereIsNotTrustedByItsNameAlone() async throws {
    let first = ShellConnection()
    let path = try await first.boardSampler(until: soon())
    await first.close()
    // Somebody has put another program there.
    let good = try LocalFile.read(path.string)
    chmod(path.string, 0o700)
    let file = open(path.string, O_WRONLY | O_TRUNC)
    #expect(write(file, "#!/bin/sh\nexit 2\n", 17) == 17)
    close(file)
    let second = ShellConnection()
    #expect(try await second.boardSampler(until: soon()) == path)
    #expect(try LocalFile.read(path.string) == good)
    await second.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func aBoardThatCannotRunItIsSampledThroughItsShellAndSaysWhy() async throws {
    let connection = ShellConnection()
    let tooMany = SamplePlan(
      files: Array(repeating: "/proc/uptime", count: 257), periodNanoseconds: 1_000_000_000)
    let source = try await connection.sampler(tooMany)
    try await source.start()
    let note = await source.stop().note
    #expect(note.contains("through a shell") && note.contains("256 files"))
    var always = tooMany
    always.onBoard = .always
    await #expect(throws: ConnectionFailure.self) { _ = try await connection.sampler(always) }
    await connection.close()
  }

  @Test func theProgramIsLookedForInTheRightPlaces() throws {
    let scratch = try Scratch()
    mkdir(scratch.path + "/lib", 0o755)
    for folder in ["bin", "lib/kelvin", "lib/kelvin/sampler", "lib/kelvin/sampler/armv7"] {
      mkdir(scratch.path + "/" + folder, 0o755)
    }
    try scratch.write("lib/kelvin/sampler/armv7/kelvin-sampler", [1])
    let executable = scratch.path + "/bin/kelvin"
    func find(_ folder: String, _ environment: [String: String] = [:]) -> String? {
      SamplerProgram.find(folder, environment: environment, executable: executable)
    }
    #expect(find("armv7") != nil)
    #expect(find("aarch64") == nil)
    #expect(find("armv7", ["KELVIN_SAMPLER": "/nowhere"]) == nil)
    #expect(find("armv7", ["KELVIN_SAMPLER": scratch.path + "/lib/kelvin/sampler"]) != nil)
    #expect(SamplerProgram.folder(of: "riscv64") == nil)
  }
}

/// Whether this machine can be a board with a sampler.
enum SamplerHere {
  /// Why not; nil when it can.
  static let obstacle: String? = {
    var name = utsname()
    uname(&name)
    let machine = withUnsafeBytes(of: &name.machine) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    guard let folder = SamplerProgram.folder(of: machine) else {
      return "no sampler for \(machine)"
    }
    return SamplerProgram.find(folder) == nil ? "scripts/build-sampler was not run" : nil
  }()
}
