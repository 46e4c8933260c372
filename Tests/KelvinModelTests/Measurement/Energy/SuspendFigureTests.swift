import Testing

@testable import KelvinModel

/// Figures of windows in which the machine that samples slept.
@Suite struct SuspendFigureTests {
  private static let second: Int64 = 1_000_000_000
  private static let meter = MeterIdentity(name: "m", driver: "test")

  private static func power(
    range: ClosedRange<Double>? = nil, wrap: Int64? = nil
  ) -> Channel {
    Channel(name: "p", unit: "W", scale: 1e-6, site: "board", kind: .power, range: range)
  }

  /// 2 W each 0.1 s from 0 to 10 s, without what is asleep; then the events.
  private static func figure(
    awake: [ClosedRange<Double>], events: [CaptureEvent], to: Int64 = 10 * Self.second,
    possible: ClosedRange<Double>? = nil
  ) throws -> EnergyFigure {
    let source = try #require(
      try PowerSource.best(of: [power()], site: "board", assuming: nil, meter: meter))
    var integrator = EnergyIntegrator(
      source, spacing: .every(1e8), possiblePower: possible, intervals: [0...to])
    for event in events { integrator.take(event) }
    let times = awake.flatMap { range in
      stride(from: range.lowerBound, through: range.upperBound + 1e-6, by: 0.1)
        .map { Int64(($0 * 10).rounded()) * 100_000_000 }
    }
    try integrator.take([
      SampleBlock(channel: 0, times: times, codes: times.map { _ in 2_000_000 })
    ])
    integrator.finish()
    return integrator.figure(of: 0)
  }

  /// The board slept from 3 to 7 s, and the host's clock went on.
  @Test func aBoardThatSleepsIsAGapOfKnownCause() throws {
    let sleep = Suspension(
      .board, from: 3 * Self.second, to: 7 * Self.second, asleep: 39 * Self.second / 10)
    let figure = try Self.figure(awake: [0...3, 7...10], events: [sleep.event])
    #expect(abs(figure.measured - 12) < 1e-9 && figure.coverage == 0.6)
    // Nothing is made up for the time asleep: it is anything from nothing to what was drawn awake.
    #expect(figure.energy == figure.measured && figure.losses.interpolated == 0)
    #expect(figure.losses.spans.map(\.kind) == [.suspend] && figure.losses.samples == 0)
    #expect(figure.suspended == 4 * Self.second && figure.elapsed == figure.duration)
    #expect(abs(figure.likelyLost - 8) < 1e-9 && figure.lossBound == nil)
    #expect(figure.events == [.suspend: 1])
  }

  /// This machine slept for 4 s between two samples: its clock does not know.
  @Test func aClockThatStoodStillIsCounted() throws {
    let sleep = Suspension(
      .host, from: 3 * Self.second, to: 3 * Self.second + 100_000_000, asleep: 4 * Self.second,
      unseen: 4 * Self.second)
    let figure = try Self.figure(
      awake: [0...6], events: [sleep.event], to: 6 * Self.second, possible: 0...10)
    #expect(abs(figure.measured - 11.8) < 1e-9)
    #expect(figure.duration == 6 * Self.second && figure.elapsed == 10 * Self.second)
    #expect(figure.suspended == 41 * Self.second / 10 && figure.losses.unseen == 4 * Self.second)
    #expect(abs(figure.coverage - 0.59) < 1e-9)
    #expect(abs((figure.lossBound ?? 0) - 41) < 1e-9 && abs(figure.likelyLost - 8.2) < 1e-9)
    #expect(figure.mean.map { abs($0 - 2) < 1e-9 } == true)
    let verdict = RuleProfile.mlperfPower.verdict(on: figure)
    #expect(verdict.failed.contains { $0.rule == "coverage" })
  }

  /// One that lies outside of the window changes nothing.
  @Test func aSleepBeforeTheWindowIsNotInIt() throws {
    let sleep = Suspension(
      .host, from: -3 * Self.second, to: -2 * Self.second, asleep: Self.second,
      unseen: Self.second)
    let figure = try Self.figure(awake: [0...10], events: [sleep.event])
    #expect(figure.coverage == 1 && figure.suspended == 0 && figure.events.isEmpty)
  }

  /// Counts that a damaged capture may hold overflow nothing.
  @Test(arguments: [Int64.max, Int64.min, -1, 1 << 60])
  func hostileTimesOverflowNothing(count: Int64) throws {
    let event = CaptureEvent(.suspend, from: Self.second, to: 2 * Self.second, count: count)
    let figure = try Self.figure(
      awake: [0...10], events: Array(repeating: event, count: 1000))
    #expect(figure.coverage >= 0 && figure.coverage < 1)
    #expect(figure.elapsed >= figure.duration)
  }

  /// A counter over a sleep: it went on, stood still, or began anew, each domain by itself.
  @Test(
    arguments: [
      // Joules at 4 s, and at 6 s: after the sleep.
      (40.0, 46.0, 6.0), (40, 40, 0), (40, 3, 0)
    ])
  func aCounterSaysWhatItCountedAndNoMore(before: Double, after: Double, said: Double) throws {
    let channel = Channel(
      name: "package-0", unit: "J", scale: 1e-6, site: "package-0", kind: .energy,
      wrap: 262_143_328_850)
    var counter = try CounterEnergy(
      0, of: [channel], meter: Self.meter, greatestPower: 100, intervals: [0...10 * Self.second])
    counter.take(
      Suspension(
        .host, from: 4 * Self.second, to: 6 * Self.second, asleep: 30 * Self.second,
        unseen: 30 * Self.second
      ).event)
    let readings = [(0, 0.0), (4, before), (6, after), (10, after + 40)]
    counter.take([
      SampleBlock(
        channel: 0, times: readings.map { Int64($0.0) * Self.second },
        codes: readings.map { Int64($0.1 * 1e6) })
    ])
    counter.finish()
    let figure = counter.figure(of: 0)
    // What was counted awake is measured, whatever happened asleep.
    #expect(abs(figure.measured - 80) < 1e-9)
    #expect(abs(figure.losses.interpolated - said) < 1e-9)
    #expect(figure.suspended == 32 * Self.second && figure.elapsed == 40 * Self.second)
    #expect(abs(figure.coverage - 0.2) < 1e-9)
    #expect(figure.possibleLost == 0...3200)
    #expect(abs(figure.likelyLost - 32 * 10) < 1e-6)
  }
}
