import CLinux
import Foundation
import Glibc
import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// Real programs of this machine as meters.
@Suite(.timeLimit(.minutes(2)))
struct CommandMeterTests {
  private static let soon = Deadline.after(seconds: 60)

  /// Whether perf is here and may count the whole machine.
  private static var canCount: Bool {
    let counter = kelvin_perf_open(1, 0, 0)
    if counter >= 0 { close(counter) }
    return counter >= 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/perf")
  }

  private static func open(
    _ options: [String: Value], _ connection: any Connection = LocalConnection()
  ) async throws -> any Meter {
    var all: [String: Value] = ["channels": .map(["power": .map(["unit": .text("W")])])]
    all.merge(options) { $1 }
    if all["columns"] == nil, all["line"] == nil {
      all["columns"] = .list([.text("time"), .text("power")])
    }
    return try await CommandDriver().open(
      name: "tool", options: all, through: connection, until: soon)
  }

  /// Prints as fast as it is asked to, without end.
  private static func printer(_ expression: String, every seconds: Double = 0.002) -> Value {
    .list(
      [
        "python3", "-u", "-c",
        "import time\nn = 0\nwhile True:\n  print(\(expression))\n  n += 1\n  time.sleep(\(seconds))"
      ]
      .map { .text($0) })
  }

  @Test func takesTimesOfTheMonotonicClockAsTheyAre() async throws {
    let meter = try await Self.open([
      "argv": Self.printer("f'{time.monotonic_ns()},{n}.5'"), "time": .text("ns"),
      "clock": .text("monotonic"), "accuracy": .map(["power": .text("1 %")])
    ])
    #expect(meter.channels[0].accuracy?.gain == 0.01)
    let sink = KeepingSink()
    let before = MonotonicTime.now.nanoseconds
    try await meter.start(into: sink, until: Self.soon)
    let twice = await #expect(throws: MeterFailure.self) {
      try await meter.start(into: sink, until: Self.soon)
    }
    #expect(twice?.code == .busy)
    try sink.wait(for: 50)
    let summary = await meter.stop(until: Self.soon)
    let (times, codes) = sink.samples(0)
    #expect(codes.prefix(3).map { meter.channels[0].value(of: $0) } == [0.5, 1.5, 2.5])
    #expect(times[0] > before && times[times.count - 1] < MonotonicTime.now.nanoseconds)
    #expect(summary.samples == [Int64(codes.count)] && summary.lost == 0)
    #expect(summary.failure == nil && summary.clock == .host)
    // It was asked to end, and said so.
    #expect(summary.counts["stderr"]?.text?.contains("KeyboardInterrupt") == true)
    #expect(await meter.stop(until: Self.soon).samples == [0])
  }

  @Test func fitsAClockOfItsOwn() async throws {
    // Its seconds are 500 ppm short, and it began a million ago.
    let meter = try await Self.open([
      "argv": Self.printer(
        "f'{1e6 + (t := time.monotonic()) * 1.0005:.9f} {t:.9f}'", every: 0.001),
      "separator": .text(" ")
    ])
    let sink = KeepingSink()
    try await meter.start(into: sink, until: Self.soon)
    try sink.wait(for: 1500)
    let summary = await meter.stop(until: Self.soon)
    let (times, codes) = sink.samples(0)
    #expect(summary.clock.count == codes.count)
    // Lines arrive after the time that they tell, never before it.
    for index in [0, codes.count / 2, codes.count - 1] {
      let told = meter.channels[0].value(of: codes[index]) * 1e9
      let off = Double(summary.clock.host(times[index])) - told
      // The first line was taken for prompt.
      #expect(off > -5e5 && off < (index == 0 ? 1e9 : 2e7), "\(off) ns at \(index)")
    }
  }

  @Test func arrivalIsAsGoodAsItsDelay() async throws {
    let meter = try await Self.open([
      "shell": .text("while :; do echo 'P = 2.5 W'; sleep 0.01; done"),
      "line": .text("P = {power} W"), "delay": .number(0.02)
    ])
    let sink = KeepingSink()
    try await meter.start(into: sink, until: Self.soon)
    try sink.wait(for: 10)
    let summary = await meter.stop(until: Self.soon)
    #expect(summary.clock.offset == -10_000_000)
    #expect(abs(summary.clock.uncertainty - 20e6 / 12.0.squareRoot()) < 1)
    #expect(Set(sink.samples(0).codes) == [2_500_000])
  }

  @Test func aProgramThatEndsIsToldWithWhatItSaid() async throws {
    let meter = try await Self.open([
      "shell": .text("for i in 1 2 3; do echo $i,5; done; echo no device >&2; sleep 0.1; exit 3")
    ])
    let sink = KeepingSink()
    try await meter.start(into: sink, until: Self.soon)
    let deadline = Deadline.after(seconds: 20)
    try sink.wait(for: 3)
    _ = deadline.limited(toSeconds: 0.3).wait()
    let summary = await meter.stop(until: Self.soon)
    #expect(summary.failure?.code == .gone)
    #expect(summary.failure?.message.contains("exit code 3") == true)
    #expect(summary.failure?.evidence == "no device")
    #expect(summary.samples == [3])
  }

  @Test func aProgramThatSaysNothingIsNotWaitedForWithoutEnd() async throws {
    let meter = try await Self.open([
      "shell": .text("echo wrong cable >&2; exec sleep 600"), "patience": .number(0.3)
    ])
    let failure = await #expect(throws: MeterFailure.self) {
      try await meter.start(into: KeepingSink(), until: Self.soon)
    }
    #expect(failure?.code == .timedOut && failure?.evidence == "wrong cable")
    // And one that dies at once is told at once.
    let dead = try await Self.open(["shell": .text("echo no bus >&2; exit 1")])
    let death = await #expect(throws: MeterFailure.self) {
      try await dead.start(into: KeepingSink(), until: Self.soon)
    }
    #expect(death?.code == .gone && death?.evidence == "no bus")
  }

  @Test func aProgramThatFallsSilentIsEnded() async throws {
    let meter = try await Self.open([
      "shell": .text("echo 1,5; echo 2,5; exec sleep 600"), "patience": .number(0.3)
    ])
    let sink = KeepingSink()
    try await meter.start(into: sink, until: Self.soon)
    _ = Deadline.after(seconds: 1).wait()
    let summary = await meter.stop(until: Self.soon)
    #expect(summary.failure?.code == .timedOut && summary.samples == [2])
  }

  @Test func whoDoesNotListenIsEnded() async throws {
    let meter = try await Self.open([
      "shell": .text("trap '' INT TERM; while :; do echo 5; sleep 0.01; done"),
      "columns": .list([.text("power")]), "rate": .number(100), "grace": .number(0.1)
    ])
    let sink = KeepingSink()
    try await meter.start(into: sink, until: Self.soon)
    try sink.wait(for: 3)
    let summary = await meter.stop(until: Self.soon)
    #expect(summary.counts["killed"] == .boolean(true) && summary.failure == nil)
    #expect(summary.samples[0] >= 3)
  }

  @Test func whatIsNotThereIsNotFound() async throws {
    let meter = try await Self.open(["argv": .list([.text("/no/such/tool")])])
    let failure = await #expect(throws: MeterFailure.self) {
      try await meter.start(into: KeepingSink(), until: Self.soon)
    }
    #expect(failure?.code == .notFound || failure?.code == .connection)
    #expect(failure?.message.contains("/no/such/tool") == true)
  }

  @Test func runsOnABoardWhenToldTo() async throws {
    let board = LocalConnection(environment: ["KELVIN_TEST_BOARD": "7"])
    let options: [String: Value] = [
      "shell": .text("while :; do echo \"${KELVIN_TEST_BOARD:-0}\"; sleep 0.01; done"),
      "columns": .list([.text("power")]), "rate": .number(100)
    ]
    for (place, code) in [("board", Int64(7_000_000)), ("host", 0)] {
      let meter = try await Self.open(options.merging(["on": .text(place)]) { $1 }, board)
      let sink = KeepingSink()
      try await meter.start(into: sink, until: Self.soon)
      try sink.wait(for: 2)
      _ = await meter.stop(until: Self.soon)
      #expect(sink.samples(0).codes.first == code, "\(place)")
    }
  }

  /// perf's intervals: a time, a value, a unit; on standard error.
  @Test(.enabled(if: canCount, "no perf here, or the kernel keeps its counters from this user"))
  func readsPerfStat() async throws {
    let meter = try await Self.open([
      "shell": .text("exec perf stat -a -x, -I 50 -e cpu-clock 2>&1"),
      "columns": .list([.text("time"), .text("busy")]),
      "channels": .map(["busy": .map(["unit": .text("msec")])]), "rate": .number(20)
    ])
    let sink = KeepingSink()
    try await meter.start(into: sink, until: Self.soon)
    try sink.wait(for: 5)
    let summary = await meter.stop(until: Self.soon)
    #expect(summary.failure == nil)
    let (times, codes) = sink.samples(0)
    // The last interval ends early.
    #expect(zip(times, times.dropFirst()).dropLast().allSatisfy { $1 - $0 > 40_000_000 })
    #expect(codes.dropLast().allSatisfy { $0 > 40_000_000 })
  }
}
