import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// Trials of meters: what is found of values that are known.
struct TrialTests {
  private static func figures(
    _ channel: Channel, _ codes: [Int64], period: Int64 = 1_000_000
  ) -> MeterStatistics.ChannelFigures {
    let statistics = MeterStatistics([channel])
    // In two pieces, as they come.
    for part in [codes.prefix(codes.count / 2), codes.suffix(codes.count - codes.count / 2)]
    where !part.isEmpty {
      statistics.take([
        SampleBlock(
          channel: 0, times: part.indices.map { Int64($0) * period }, codes: Array(part))
      ])
    }
    return statistics.figures[0]
  }

  private static func noise(_ count: Int, around code: Int64) -> [Int64] {
    (0..<count).map { code + Int64($0 * 7919 % 11) - 5 }
  }

  private static let amperes = Channel(
    name: "i", unit: "A", scale: 1e-3, site: "s", kind: .current, range: -10...10)

  @Test func figuresAreThoseOfTheValues() {
    let figures = Self.figures(Self.amperes, [1000, 2000, 3000, 4000], period: 500_000_000)
    #expect(figures.count == 4 && figures.mean == 2.5)
    #expect(abs(figures.deviation - (5.0 / 3).squareRoot()) < 1e-12)
    #expect(abs(figures.meanUncertainty - (5.0 / 12).squareRoot()) < 1e-12)
    #expect(figures.least == 1 && figures.greatest == 4 && figures.rate == 2)
    #expect(figures.meanPower == nil && figures.longestStep == 500_000_000)
  }

  @Test func aCountersPowerIsWhatItCounts() {
    let joules = Channel(name: "e", unit: "J", scale: 1e-6, kind: .energy, wrap: 1000)
    let figures = Self.figures(joules, [100, 300, 600, 50, 150], period: 1_000_000)
    // It went around once, and that step is not counted.
    #expect(figures.wentBack == 1)
    #expect(abs((figures.meanPower ?? 0) - 600e-6 / 4e-3) < 1e-12)
  }

  private static func test(
    _ channel: Channel, _ codes: [Int64], events: [CaptureEvent] = [], rate: Double? = 1000,
    summary: CaptureSummary = CaptureSummary(samples: [0], witnesses: ["time stamps"])
  ) -> MeterSelfTest {
    MeterSelfTest([figures(channel, codes)], events: events, rate: rate, summary: summary)
  }

  private static func outcome(
    _ test: MeterSelfTest, _ check: MeterSelfTest.Check
  ) -> MeterSelfTest.Outcome? { test.findings.first { $0.check == check }?.outcome }

  /// Of a line at rest two values a batch come, at any rate of the meter.
  @Test func aDigitalLineHasNoRate() {
    let line = Channel(name: "D0", unit: "", kind: .logic)
    let test = Self.test(line, [0, 0, 1, 1], rate: 100_000)
    #expect(test.passed, "\(test.findings)")
    #expect(Self.outcome(test, .readable) == .ok && Self.outcome(test, .rate) == nil)
  }

  @Test func aGoodMeterPasses() {
    let test = Self.test(Self.amperes, Self.noise(1000, around: 500))
    #expect(test.passed, "\(test.findings)")
    #expect(Set(test.findings.map(\.check)) == Set(MeterSelfTest.Check.allCases))
    #expect(test.findings.allSatisfy { $0.outcome == .ok })
    #expect(
      test.findings.first { $0.check == .noise }?.text.hasPrefix("0.5") == true,
      "\(test.findings)")
  }

  @Test func eachFaultIsFound() {
    let good = Self.noise(1000, around: 500)
    func failed(_ test: MeterSelfTest) -> [MeterSelfTest.Check] {
      test.findings.filter { $0.outcome == .failed }.map(\.check)
    }
    #expect(failed(Self.test(Self.amperes, [])) == [.readable])
    let errors = [CaptureEvent(.error, channel: 0, from: 0, to: 1, count: 20, note: "EIO")]
    let unreadable = Self.test(Self.amperes, good, events: errors)
    #expect(failed(unreadable) == [.readable])
    #expect(unreadable.findings[0].text.contains("EIO"))
    #expect(failed(Self.test(Self.amperes, good, rate: 2000)) == [.rate])
    #expect(failed(Self.test(Self.amperes, good + [10_000])) == [.range])
    let gap = [CaptureEvent(.gap, from: 0, to: 1, count: 50)]
    #expect(failed(Self.test(Self.amperes, good, events: gap)) == [.loss])
    let few = [CaptureEvent(.gap, from: 0, to: 1, count: 1)]
    #expect(Self.outcome(Self.test(Self.amperes, good, events: few), .loss) == .note)
    let still = Channel(name: "e", unit: "J", kind: .energy, wrap: 0)
    #expect(failed(Self.test(still, [Int64](repeating: 5, count: 100))) == [.stuck])
    #expect(failed(Self.test(still, [5, 6, 3, 9])) == [.stuck])
    let steady = Self.test(Self.amperes, [Int64](repeating: 5, count: 100))
    #expect(steady.passed && Self.outcome(steady, .stuck) == .note)
    let set = [CaptureEvent(.clockStep, from: 0, to: 1)]
    #expect(failed(Self.test(Self.amperes, good, events: set)) == [.clock])
    let fast = ClockFit(
      origin: 0, offset: 0, skew: 0.01, uncertainty: 1, residual: 1, count: 9)
    #expect(
      failed(
        Self.test(
          Self.amperes, good,
          summary: CaptureSummary(samples: [0], witnesses: ["x"], clock: fast))) == [.clock])
    let gone = CaptureSummary(
      samples: [0], witnesses: ["x"], failure: MeterFailure(.gone, "unplugged"))
    #expect(failed(Self.test(Self.amperes, good, summary: gone)) == [.readable])
    // Without a witness nobody can tell.
    let blind = Self.test(Self.amperes, good, summary: CaptureSummary(samples: [0]))
    #expect(blind.passed && Self.outcome(blind, .loss) == .note)
  }

  @Test func conversionsThatAreReadAgainAreNoted() {
    let codes = (0..<1000).map { Int64($0 / 5 * 37 % 101) }
    let test = Self.test(Self.amperes, codes)
    #expect(test.passed && Self.outcome(test, .repeats) == .note)
    #expect(Self.figures(Self.amperes, codes).repeats?.repeats == 800)
  }

  // MARK: a known resistor

  @Test(arguments: [
    ("100 ohm", 100, 0.05), ("100ohm,1%", 100, 0.01), ("4.7 ohm, 5 %", 4.7, 0.05),
    ("10 kohm,0.1%", 10_000, 0.001)
  ])
  func readsLoads(text: String, ohms: Double, tolerance: Double) throws {
    let load = try #require(LoadVerification.Load(text))
    #expect(abs(load.resistance - ohms) < 1e-9 && abs(load.tolerance - tolerance) < 1e-15)
  }

  @Test(arguments: ["", "100", "0 ohm", "-1 ohm", "100 V", "100 ohm,", "100 ohm,1", "1 ohm,100%"])
  func refusesLoads(text: String) { #expect(LoadVerification.Load(text) == nil) }

  /// A site of 5 V over 100 ohm, each value off by a share of it.
  private static func site(
    current: Double = 0, power: Double = 0, accuracy: Double? = 0.005, volts: Double = 5
  ) -> [MeterStatistics.ChannelFigures] {
    let accuracy = accuracy.map { Accuracy(gain: $0, offset: 0) }
    return [
      (Channel(name: "u", unit: "mV", site: "s", kind: .voltage, accuracy: accuracy), volts * 1e3),
      (
        Channel(name: "i", unit: "A", scale: 1e-6, site: "s", kind: .current, accuracy: accuracy),
        volts / 100 * (1 + current) * 1e6
      ),
      (
        Channel(name: "p", unit: "W", scale: 1e-6, site: "s", kind: .power, accuracy: accuracy),
        volts * volts / 100 * (1 + power) * 1e6
      )
    ].map { channel, code in
      figures(channel, (0..<100).map { Int64(code.rounded()) + Int64($0 % 2) })
    }
  }

  private static func verify(
    _ figures: [MeterStatistics.ChannelFigures], _ load: String = "100 ohm,1%"
  ) throws -> LoadVerification {
    try LoadVerification(figures, try #require(LoadVerification.Load(load)), meter: "m")
  }

  @Test func aMeterThatIsRightPasses() throws {
    let found = try Self.verify(Self.site())
    #expect(found.verdict == .pass && found.checks.map(\.channel) == ["i", "p"])
    #expect(abs(found.checks[0].measured - 0.05) < 1e-6)
    // Twice the root of 0.5 %, 0.5 % and 1 %, each over the root of 3.
    let uncertainty = 2 * ((2 * 0.005 * 0.005 + 0.01 * 0.01) / 3).squareRoot() * 0.05
    #expect(abs((found.checks[0].uncertainty ?? 0) / uncertainty - 1) < 1e-3)
    #expect((found.checks[0].normalizedError ?? 1) < 0.1)
  }

  @Test func aMeterThatIsWrongFails() throws {
    let current = try Self.verify(Self.site(current: 0.05))
    #expect(current.verdict == .fail && current.checks.map(\.verdict) == [.fail, .pass])
    let power = try Self.verify(Self.site(power: -0.05))
    #expect(power.verdict == .fail && power.checks.map(\.verdict) == [.pass, .fail])
    // What is within the resistor's own tolerance is no mistake of the meter.
    #expect(try Self.verify(Self.site(current: 0.05), "100 ohm,10%").verdict == .pass)
  }

  @Test func whatNobodyKnowsCannotBeTold() throws {
    #expect(try Self.verify(Self.site(accuracy: nil)).verdict == .cannotTell)
    #expect(try Self.verify(Self.site(), "100 ohm,50%").verdict == .cannotTell)
    #expect(try Self.verify(Self.site(volts: 0)).verdict == .cannotTell)
    let failure = #expect(throws: MeterFailure.self) {
      try Self.verify(Array(Self.site().prefix(1)))
    }
    #expect(failure?.code == .unsupported)
  }

  @Test func aPowerAndACurrentDo() throws {
    let found = try Self.verify(Array(Self.site(power: 0.1).suffix(2)))
    #expect(found.checks.map(\.channel) == ["p"] && found.verdict == .fail)
  }
}
