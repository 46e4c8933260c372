import Testing

@testable import KelvinModel

struct RuleProfileTests {
  private static func figure(
    seconds: Int64 = 700, covered: Double = 1, uncertainty: Double = 0.004,
    events: [CaptureEvent.Kind: Int] = [:]
  ) -> EnergyFigure {
    let duration = seconds * 1_000_000_000
    return EnergyFigure(
      from: 0, to: duration, measured: 100, covered: Int64(Double(duration) * covered),
      losses: Losses(), possibleLost: 0...0, likelyLost: 0, doubtful: 0, samples: seconds + 1,
      least: 1, greatest: 1, longestStep: 1_000_000_000, events: events,
      budget: UncertaintyBudget([UncertaintyComponent("u", uncertainty * 100, .b)]),
      clock: .host, meter: MeterIdentity(name: "m", driver: "d"), statement: "p")
  }

  private static let good = RuleProfile.Facts(
    rangeIsFixed: true, clockDistance: 0.1, iterations: 12, repeats: 5)

  @Test(arguments: RuleProfile.allCases)
  func goodFiguresPass(profile: RuleProfile) {
    let verdict = profile.verdict(on: Self.figure(), facts: Self.good)
    #expect(verdict.passed, "\(verdict.failed)")
    #expect(verdict.findings.allSatisfy { !$0.source.isEmpty && !$0.required.isEmpty })
  }

  @Test func eachRuleThatFailedIsNamed() {
    func failed(
      _ figure: EnergyFigure, _ change: (inout RuleProfile.Facts) -> Void = { _ in }
    )
      -> [String]
    {
      var facts = Self.good
      change(&facts)
      return RuleProfile.mlperfPower.verdict(on: figure, facts: facts).failed.map(\.rule)
    }
    #expect(failed(Self.figure(covered: 0.9989)) == ["coverage"])
    #expect(failed(Self.figure(uncertainty: 0.0051)) == ["uncertainty"])
    #expect(failed(Self.figure(events: [.rangeSwitch: 1])) == ["range"])
    #expect(failed(Self.figure()) { $0.rangeIsFixed = false } == ["range"])
    #expect(failed(Self.figure()) { $0.clockDistance = -0.81 } == ["clocks"])
    #expect(failed(Self.figure(seconds: 599)) == ["duration"])
    var slow = Self.figure()
    slow.longestStep = 3_000_000_000
    #expect(failed(slow) == ["rate"])
    var doubtful = Self.figure()
    doubtful.doubtful = 1
    #expect(failed(doubtful) == ["coverage"])
  }

  @Test func whatIsNotKnownDoesNotPass() {
    #expect(
      RuleProfile.mlperfPower.verdict(on: Self.figure()).failed.map(\.rule) == ["range", "clocks"])
    #expect(RuleProfile.mlperfTiny.verdict(on: Self.figure()).failed.map(\.rule) == ["repeats"])
  }

  @Test func tenIterationsAreLongEnough() {
    func failed(_ iterations: Int) -> [String] {
      RuleProfile.mlperfTiny.verdict(
        on: Self.figure(seconds: 9), facts: .init(iterations: iterations, repeats: 5)
      ).failed.map(\.rule)
    }
    #expect(failed(10) == [])
    #expect(failed(9) == ["duration"])
  }
}
