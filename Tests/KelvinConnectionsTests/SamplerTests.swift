import Glibc
import KelvinModel
import Testing

@testable import KelvinConnections

/// Samplers on real files of this kernel, and the pieces that they are made of.
@Suite struct SamplerTests {
  @Test(
    arguments: [
      ("0", 0, 0), ("42\n", 42, 0), ("-7", -7, 0), ("+7", 7, 0), (" 5 kB", 5, 0),
      ("12.50", 1250, 2),
      ("-0.001\n", -1, 3), ("9223372036854775807", Int64.max, 0), ("3.", 3, 0), ("0-1", 0, 0),
      ("1.1234567890123456789", 1_123_456_789_012_345, 15)
    ] as [(String, Int64, UInt8)])
  func readsNumbersExactly(text: String, mantissa: Int64, decimals: UInt8) {
    var number = DecimalNumber()
    let bytes = Array(text.utf8)
    #expect(bytes.withUnsafeBytes { number.parse($0, count: $0.count) })
    #expect(number.mantissa == mantissa)
    #expect(number.decimals == decimals)
  }

  @Test(arguments: ["", " ", "x", "-", ".", ".5", "9223372036854775808", "99999999999999999999"])
  func refusesWhatIsNoNumberOf64Bits(text: String) {
    var number = DecimalNumber()
    let bytes = Array(text.utf8)
    #expect(!bytes.withUnsafeBytes { number.parse($0, count: $0.count) })
  }

  @Test(.timeLimit(.minutes(1)))
  func ticksStayAtTheirDeadlines() async throws {
    let period: Int64 = 2_000_000
    let source = try await LocalConnection().sampler(
      SamplePlan(
        files: ["/proc/sys/kernel/pid_max", "/sys/class/net/lo/mtu"], periodNanoseconds: period))
    try await source.start()
    try await Task.sleep(for: .milliseconds(400))
    let summary = await source.stop()
    let samples = source.drain()
    let first = samples.filter { $0.channel == 0 }
    #expect(summary.ticks >= 150)
    #expect(summary.lostSamples == 0)
    #expect(Int64(first.count) == summary.ticks - summary.overruns)
    #expect(samples.filter { $0.channel == 1 }.count == first.count)
    #expect(samples.allSatisfy { $0.status == .ok && $0.mantissa > 0 })
    #expect(samples.map(\.nanoseconds) == samples.map(\.nanoseconds).sorted())
    // No sample before its tick's time, and none is a tick's worth of drift away from the grid.
    let start = try #require(first.first).nanoseconds
    let phases = first.map { ($0.nanoseconds - start) % period }
    let onTime = phases.count { min($0, period - $0) < period / 2 }
    #expect(onTime > phases.count / 2)
    #expect(summary.cpuNanoseconds ?? 0 > 0)
    if geteuid() == 0 { #expect(summary.isRealtime) } else { #expect(!summary.note.isEmpty) }
    #expect(await source.stop() == summary)
  }

  @Test(.timeLimit(.minutes(1)))
  func aTickThatTakesTooLongLeavesTicksOutAndSaysSo() async throws {
    let source = try await LocalConnection().sampler(
      SamplePlan(
        files: Array(repeating: "/proc/meminfo", count: 20), periodNanoseconds: 1000,
        capacity: 100, realtimePriority: nil))
    try await source.start()
    try await Task.sleep(for: .milliseconds(50))
    let summary = await source.stop()
    #expect(summary.overruns > 0)
    #expect(summary.overruns < summary.ticks)
    // Nobody drained: what found no room is counted.
    #expect(source.drain().count == 100)
    #expect(summary.lostSamples > 0)
  }

  @Test(.timeLimit(.minutes(1)))
  func stopsPromptlyBetweenDistantTicks() async throws {
    let source = try await LocalConnection().sampler(
      SamplePlan(files: ["/proc/sys/kernel/pid_max"], periodNanoseconds: 100_000_000_000))
    try await source.start()
    let deadline = Deadline.after(seconds: 20)
    var samples: [Sample] = []
    while samples.isEmpty, !deadline.hasPassed {
      samples += source.drain()
      try await Task.sleep(for: .milliseconds(1))
    }
    let begin = MonotonicTime.now
    _ = await source.stop()
    #expect(MonotonicTime.now - begin < 5_000_000_000)
    #expect(samples.count == 1)
  }

  @Test(.timeLimit(.minutes(1)))
  func aFileThatIsNotThereOrNoNumberIsSaidSoAndTheOthersGoOn() async throws {
    let scratch = try Scratch()
    try scratch.write("text", Array("hello\n".utf8))
    try scratch.write("number", Array("17\n".utf8))
    let source = try await LocalConnection().sampler(
      SamplePlan(
        files: ["text", "number", "missing"].map { TargetPath(scratch.path + "/" + $0) }
          + ["/proc/self/mem"],
        periodNanoseconds: 1_000_000))
    try await source.start()
    let deadline = Deadline.after(seconds: 20)
    var samples: [Sample] = []
    while samples.count < 40, !deadline.hasPassed {
      samples += source.drain()
      try await Task.sleep(for: .milliseconds(1))
    }
    _ = await source.stop()
    func statuses(_ channel: UInt16) -> Set<Sample.Status> {
      Set(samples.filter { $0.channel == channel }.map(\.status))
    }
    #expect(statuses(0) == [.notNumber])
    #expect(statuses(1) == [.ok])
    #expect(statuses(2) == [.unreadable])
    #expect(statuses(3) == [.unreadable])
    #expect(samples.first { $0.channel == 2 }?.mantissa == Int64(ENOENT))
    #expect(samples.first { $0.channel == 3 }?.mantissa == Int64(EIO))
    #expect(samples.first { $0.channel == 1 }?.value == 17)
  }

  /// Drains until `isEnough` or half a minute has passed.
  private func drain(
    _ source: any SampleSource, until isEnough: ([Sample]) -> Bool
  ) async throws -> [Sample] {
    let deadline = Deadline.after(seconds: 30)
    var samples: [Sample] = []
    while !isEnough(samples), !deadline.hasPassed {
      samples += source.drain()
      try await Task.sleep(for: .milliseconds(2))
    }
    return samples
  }

  @Test(.timeLimit(.minutes(1)))
  func aFileThatIsReplacedWhileSamplingIsFollowed() async throws {
    let scratch = try Scratch()
    try scratch.write("gone", Array("1\n".utf8))
    try scratch.write("stays", Array("7\n".utf8))
    let source = try await LocalConnection().sampler(
      SamplePlan(
        files: ["gone", "stays"].map { TargetPath(scratch.path + "/" + $0) },
        periodNanoseconds: 20_000_000))
    try await source.start()
    var samples = try await drain(source) { $0.count >= 4 }
    #expect(samples.allSatisfy { $0.status == .ok })
    unlink(scratch.path + "/gone")
    samples = try await drain(source) { $0.contains { $0.status == .unreadable } }
    #expect(samples.last { $0.status == .unreadable }?.mantissa == Int64(ENOENT))
    try scratch.write("gone", Array("2\n".utf8))
    samples += try await drain(source) {
      $0.contains { $0.channel == 0 && $0.mantissa == 2 && $0.status == .ok }
    }
    #expect(samples.contains { $0.channel == 0 && $0.mantissa == 2 && $0.status == .ok })
    _ = await source.stop()
    samples += source.drain()
    #expect(samples.filter { $0.channel == 1 }.allSatisfy { $0.mantissa == 7 && $0.status == .ok })
  }

  @Test func whyAFileCannotBeOpenedIsKept() {
    var file = SampledFile(path: "/etc/passwd/number", channel: 3)
    let sample = withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { file.sample($0) }
    #expect(sample.status == .unreadable)
    #expect(sample.mantissa == Int64(ENOTDIR))
    #expect(sample.channel == 3)
  }

  @Test(.timeLimit(.minutes(1)), arguments: [["dash"], ["bash"], ["busybox", "ash"], ["mksh"]])
  func samplesThroughAShellAndSaysWhatItCannotPromise(shell: [String]) async throws {
    let scratch = try Scratch()
    try scratch.write("empty", [])
    try scratch.write("line", Array(" -12.5 V".utf8))
    let connection = ShellConnection(argv: shell)
    let source = try await connection.sampler(
      SamplePlan(
        files: [
          "/proc/sys/kernel/pid_max", "/no/such", "/proc/self/mem",
          TargetPath(scratch.path + "/empty"), TargetPath(scratch.path + "/line")
        ], periodNanoseconds: 20_000_000, onBoard: .never))
    try await source.start()
    var samples = try await drain(source) { $0.count >= 25 }
    let summary = await source.stop()
    samples += source.drain()
    #expect(summary.note.contains("shell"))
    #expect(summary.ticks - summary.overruns == Int64(samples.count / 5))
    func all(_ channel: UInt16, _ status: Sample.Status, _ mantissa: Int64?) -> Bool {
      samples.filter { $0.channel == channel }.allSatisfy {
        $0.status == status && (mantissa == nil || $0.mantissa == mantissa)
      }
    }
    #expect(all(0, .ok, nil))
    #expect(all(1, .unreadable, Int64(ENOENT)))
    #expect(all(2, .unreadable, Int64(EIO)))
    #expect(all(3, .notNumber, 0))
    #expect(all(4, .ok, -125))
    await connection.close()
  }

  @Test func theRingKeepsOrderAndCountsWhatFindsNoRoom() {
    let ring = SampleRing(capacity: 4)
    for number in 0..<6 { ring.push(Sample(nanoseconds: Int64(number), mantissa: 0, channel: 0)) }
    #expect(ring.drain().map(\.nanoseconds) == [0, 1, 2, 3])
    #expect(ring.lostCount == 2)
    for number in 6..<9 { ring.push(Sample(nanoseconds: Int64(number), mantissa: 0, channel: 0)) }
    #expect(ring.drain().map(\.nanoseconds) == [6, 7, 8])
    #expect(ring.drain().isEmpty)
  }
}
