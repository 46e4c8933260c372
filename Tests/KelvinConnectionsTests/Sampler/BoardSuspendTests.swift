import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Boards that sleep while they are sampled: played by a program that speaks the sampler's protocol, with a clock
/// that stands still when the test says so.
@Suite(
  .enabled(if: access("/usr/bin/python3", X_OK) == 0, "there is no python3"),
  .timeLimit(.minutes(1)))
struct BoardSuspendTests {
  /// Samples each 10 ms for 0.1 s, sleeps for 0.3 s, samples for 0.1 s; then waits for the end.
  ///
  /// First word: the version that it speaks. `mute` does not tell of its sleep.
  private static let program = """
    import binascii, os, struct, sys, time
    version, mute, keep = int(sys.argv[1]), sys.argv[2] == "mute", sys.argv[5] == "keep"
    def now(): return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    def varint(n):
        out = b""
        while n > 127:
            out += bytes([n & 127 | 128])
            n >>= 7
        return out + bytes([n])
    def signed(*numbers): return b"".join(varint(n << 1 if n >= 0 else (-n << 1) - 1) for n in numbers)
    kept = []
    def send(kind, payload, later=False):
        body = kind + struct.pack("<H", len(payload)) + payload
        frame = b"\\xc5\\x4b" + body + struct.pack("<I", binascii.crc32(body))
        if later and keep: kept.append(frame)
        else: os.write(1, frame)
    def data(first, times):
        payload, last = varint(first) + varint(0) + varint(times[0]), times[0]
        for i, t in enumerate(times):
            payload += varint((t - last) << 1) + signed(7 if i == 0 else 0)
            last = t
        send(b"D", payload, True)
    send(b"H", signed(*([version, 1, 0, 0, 65536, 1, 1, now()] + [1] * (version > 1))))
    def window():
        begin = now()
        times = [begin + i * 10_000_000 for i in range(10)]
        time.sleep(0.1)
        data(0, times)
        time.sleep(0.3)
        end = now()
        if version > 1 and not mute: send(b"S", signed(1, times[-1] + 1, end, 290_000_000), True)
        data(10, [end + 1 + i * 10_000_000 for i in range(10)])
        time.sleep(0.1)
        return begin
    begin = 0
    for line in iter(sys.stdin.readline, ""):
        words = line.split()
        received = now()
        if words[0] == "p": send(b"C", signed(int(words[1]), received, now()))
        elif words[0] == "s": begin = window()
        elif words[0] == "e":
            for frame in kept: os.write(1, frame)
            send(b"E", signed(begin, now(), 20, 20, *[0] * 2, 20, *[0] * 12, *[1, 290_000_000] * (version > 1)))
        else: break

    """

  private func sample(
    _ words: String, buffer: Int?
  ) async throws -> (samples: [Sample], suspensions: [Suspension], summary: SampleSummary) {
    let scratch = try Scratch()
    try scratch.write("board.py", Array(Self.program.utf8))
    try scratch.write(
      "run", Array("#!/bin/sh\nexec python3 '\(scratch.path)/board.py' \(words) \"$@\"\n".utf8))
    chmod(scratch.path + "/run", 0o700)
    let source = try BoardSampler(
      SamplePlan(
        files: ["/x"], periodNanoseconds: 10_000_000, onBoard: .always, buffer: buffer),
      transport: LocalShellTransport(argv: ["sh"]), program: TargetPath(scratch.path + "/run"),
      environment: [:], until: .after(seconds: 30))
    try await source.start()
    let deadline = Deadline.after(seconds: 30)
    var samples: [Sample] = []
    while buffer == nil, samples.count < 20, !deadline.hasPassed {
      try await Task.sleep(for: .milliseconds(10))
      samples += source.drain()
    }
    let summary = await source.stop()
    samples += source.drain()
    return (samples, source.suspensions(), summary)
  }

  @Test(arguments: [nil, 1 << 16])
  func aSleepIsTold(buffer: Int?) async throws {
    let (samples, suspensions, summary) = try await sample("2 tell", buffer: buffer)
    #expect(samples.count == 20 && summary.lostSamples == 0, "\(summary)")
    #expect(samples.map(\.nanoseconds) == samples.map(\.nanoseconds).sorted())
    try #require(suspensions.count == 1)
    let sleep = suspensions[0]
    #expect(sleep.sleeper == .board && sleep.asleep == 290_000_000 && sleep.unseen == 0)
    // On the host's clock, which went on: between the tenth sample and the eleventh.
    #expect(sleep.to - sleep.from > 290_000_000)
    #expect(sleep.from > samples[9].nanoseconds - 1_000_000)
    #expect(sleep.to < samples[10].nanoseconds + 1_000_000)
    #expect(summary.note.isEmpty || !summary.note.contains("suspend"), "\(summary.note)")
  }

  /// What told of it was lost on the way: that it slept is known by the counts.
  @Test func aSleepThatIsNotToldIsCounted() async throws {
    let (samples, suspensions, summary) = try await sample("2 mute", buffer: nil)
    #expect(samples.count == 20 && suspensions.isEmpty)
    #expect(summary.note.contains("1 suspend(s) of the board are not marked"), "\(summary.note)")
  }

  /// A program of version 1 samples as it did, and what it cannot tell is said.
  @Test func anOlderProgramIsTakenAsItIs() async throws {
    let (samples, suspensions, summary) = try await sample("1 mute", buffer: nil)
    #expect(samples.count == 20 && suspensions.isEmpty && summary.ticks == 20)
    #expect(summary.note.contains("a suspend of the board would go unnoticed"), "\(summary.note)")
  }
}

/// Times while this machine sleeps and a board does not.
@Suite struct HostSleepTests {
  private static let second: Int64 = 1_000_000_000

  private static func reading(_ monotonic: Int64, asleep: Int64) -> SuspendWatch.Reading {
    SuspendWatch.Reading(monotonic: monotonic, boottime: 1000 + monotonic + asleep)
  }

  @Test func withoutASleepTimesAreWhatTheyWere() {
    var sleep = HostSleep(Self.reading(0, asleep: 0))
    for time in 1...10 { sleep.look(Self.reading(Int64(time) * Self.second, asleep: 0)) }
    for time in [Int64.min, -1, 0, 5, 1 << 62] { #expect(sleep.monotonic(time) == time) }
    #expect(sleep.takeSuspensions().isEmpty)
  }

  @Test func timesAreTakenBackByWhatTheClockDidNotCount() {
    var sleep = HostSleep(Self.reading(0, asleep: 0))
    sleep.look(Self.reading(10 * Self.second, asleep: 0))
    // Between 10 and 11 s it slept for 60, between 20 and 22 for 5.
    sleep.look(Self.reading(11 * Self.second, asleep: 60 * Self.second))
    sleep.look(Self.reading(20 * Self.second, asleep: 60 * Self.second))
    sleep.look(Self.reading(22 * Self.second, asleep: 65 * Self.second))
    func at(_ seconds: Double) -> Double {
      Double(sleep.monotonic(Int64(seconds * 1e9))) / 1e9
    }
    #expect(at(9) == 9 && at(10) == 10)
    #expect(at(71) == 11 && at(75) == 15 && at(80) == 20)
    #expect(at(87) == 22 && at(100) == 35)
    // In between: somewhere, in order.
    var last = 0.0
    for time in stride(from: 0.0, to: 100, by: 0.25) {
      #expect(at(time) >= last)
      last = at(time)
    }
    let suspensions = sleep.takeSuspensions()
    #expect(suspensions.map(\.unseen) == [60 * Self.second, 5 * Self.second])
    #expect(suspensions.map(\.from) == [10 * Self.second, 20 * Self.second])
    #expect(sleep.takeSuspensions().isEmpty)
  }
}

/// The count of suspends that a kernel keeps, as a shell reads it.
@Suite struct SleepCountTests {
  @Test func aGreaterCountIsASleep() {
    var count = SleepCount()
    #expect(count.take(nil, 0, 1) == nil && !count.isKnown)
    #expect(count.take([], 1, 2) == nil && !count.isKnown)
    #expect(count.take(ArraySlice("5".utf8), 10, 11) == nil && count.isKnown)
    #expect(count.take(ArraySlice("5".utf8), 20, 21) == nil)
    #expect(
      count.take(ArraySlice("7".utf8), 30, 41)
        == Suspension(.board, from: 20, to: 41, asleep: nil))
    // A board that has booted begins anew.
    #expect(count.take(ArraySlice("0".utf8), 50, 51) == nil)
    #expect(count.take(ArraySlice("x".utf8), 60, 61) == nil)
  }
}
