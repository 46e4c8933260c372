import KelvinModel
import Testing

struct UncertaintyTests {
  private static let meter = MeterIdentity(name: "m", driver: "d", serial: "7", range: "1 A")

  private static func key(_ effect: String, _ meter: MeterIdentity = meter) -> CorrelationKey {
    CorrelationKey(meter, channel: "i", effect: effect)
  }

  private static func estimate(
    _ value: Double, _ components: [UncertaintyComponent], loss: Double? = 0
  ) -> Estimate {
    Estimate(
      value, unit: "J", budget: UncertaintyBudget(components), lossBound: loss, statement: "e")
  }

  /// JCGM 100:2008, table G.2, column 95.45 %.
  @Test(arguments: [
    (1.0, 13.97), (2, 4.53), (3, 3.31), (4, 2.87), (5, 2.65), (9, 2.32), (10, 2.28), (20, 2.13),
    (50, 2.05), (100, 2.025)
  ])
  func studentFactorsAreThoseOfTheGUM(freedom: Double, factor: Double) {
    #expect(abs(StudentFactor.twoSided(freedom) - factor) <= 0.005)
  }

  @Test func studentFactorsOfManyAreTheNormalDistributions() {
    #expect(abs(StudentFactor.twoSided(1e9) - 2) < 1e-4)
    #expect(StudentFactor.twoSided(0) == .infinity)
    #expect(abs(StudentFactor.twoSided(4, coverage: 0.95) - 2.776) < 0.001)
  }

  @Test func combinesBySquaresAndWhatIsCommonBySigns() {
    let budget = UncertaintyBudget([
      UncertaintyComponent("a", 3, .b, key: Self.key("gain")),
      UncertaintyComponent("b", 1, .b, key: Self.key("gain")),
      UncertaintyComponent("c", 3, .a)
    ])
    #expect(budget.standard == 5)
    #expect(budget.systematic == 4)
    #expect(budget.random == 3)
    #expect(budget.expanded == 10)
  }

  @Test func differencesOnOneMeterCancelWhatIsCommon() {
    let a = Self.estimate(
      10, [.init("gain", 0.1, .b, key: Self.key("gain")), .init("noise", 0.003, .a)])
    let b = Self.estimate(
      9, [.init("gain", 0.09, .b, key: Self.key("gain")), .init("noise", 0.004, .a)])
    let difference = Estimate.difference(of: a, and: b)
    #expect(difference.value == 1)
    #expect(abs(difference.budget.systematic - 0.01) < 1e-12)
    #expect(abs(difference.budget.random - 0.005) < 1e-12)
    // A ratio of two figures with the same relative gain error knows nothing of it.
    let ratio = Estimate.ratio(of: a, to: b)
    #expect(abs((ratio?.budget.systematic ?? 1)) < 1e-12)
    #expect(ratio?.unit == "")
  }

  @Test func otherMetersRangesAndCalibrationsHaveNothingInCommon() {
    var others = [Self.meter, Self.meter, Self.meter]
    others[0].serial = "8"
    others[1].range = "10 A"
    others[2].calibration = "2026-01-01"
    let a = Self.estimate(10, [.init("gain", 0.3, .b, key: Self.key("gain"))])
    for other in others {
      let b = Self.estimate(9, [.init("gain", 0.4, .b, key: Self.key("gain", other))])
      #expect(abs(Estimate.difference(of: a, and: b).budget.standard - 0.5) < 1e-12)
    }
  }

  @Test func idleSubtractionCancelsOffsetsAndSaysSo() throws {
    // 100 s and 10 s of idle: an offset of 1 mW for both.
    let busy = Self.estimate(50, [.init("offset", 0.1, .b, key: Self.key("offset"))])
    let idle = Self.estimate(
      2, [.init("offset", 0.01, .b, key: Self.key("offset")), .init("noise", 0.001, .a)])
    let net = try #require(
      Estimate.withoutIdle(busy, seconds: 100, idle: idle, idleSeconds: 10))
    #expect(net.value == 30)
    #expect(net.budget.systematic < 1e-12)
    #expect(abs(net.budget.random - 0.01) < 1e-12)
    #expect(net.statement.contains("idle"))
    #expect(Estimate.withoutIdle(busy, seconds: 1, idle: idle, idleSeconds: 0) == nil)
  }

  @Test func lossesAddUpAndAreNotKnownWhenOneIsNot() {
    let a = Self.estimate(5, [], loss: 1)
    let b = Self.estimate(3, [], loss: 0.5)
    #expect(Estimate.difference(of: a, and: b).lossBound == 1.5)
    #expect(Estimate.difference(of: a, and: Self.estimate(1, [], loss: nil)).lossBound == nil)
    // 5 ± 1 by 3 ± 0.5: at most 6/2.5, at least 4/3.5.
    let ratio = Estimate.ratio(of: a, to: b)
    let bound = ratio?.lossBound ?? 0
    #expect(bound >= 6 / 2.5 - 5.0 / 3 - 1e-12)
    #expect(bound >= 5.0 / 3 - 4 / 3.5)
  }

  @Test func ratiosToNothingAreRefused() {
    let a = Self.estimate(5, [])
    #expect(Estimate.ratio(of: a, to: Self.estimate(0, [])) == nil)
    #expect(Estimate.ratio(of: a, to: Self.estimate(1, [.init("noise", 0.4, .a)])) == nil)
  }

  @Test func fewObservationsExpandByMore() {
    let budget = UncertaintyBudget([
      UncertaintyComponent("repeatability", 1, .a, degreesOfFreedom: 4)
    ])
    #expect(budget.effectiveDegreesOfFreedom == 4)
    #expect(abs(budget.expandedByStudent - 2.87) < 0.005)
    // JCGM 100:2008, G.4.1: u⁴ / Σ u⁴/ν.
    let both = UncertaintyBudget([
      UncertaintyComponent("repeatability", 1, .a, degreesOfFreedom: 4),
      UncertaintyComponent("gain", 2, .b)
    ])
    // (1² + 2²)² / (1⁴/4), but for the rounding of √5.
    #expect(abs((both.effectiveDegreesOfFreedom ?? 0) - 100) < 1e-9)
  }

  @Test func repeatsTakeTheirScatterForWhatIsRandom() throws {
    // A. values 9, 10, 11, 12, 13: s² = 2.5.
    let repeats = try #require(
      Repeats(
        [9.0, 10, 11, 12, 13].map {
          Self.estimate(
            $0, [.init("gain", $0 * 0.01, .b, key: Self.key("gain")), .init("noise", 0.2, .a)])
        }))
    #expect(repeats.count == 5 && repeats.mean == 11)
    #expect(repeats.least == 9 && repeats.greatest == 13)
    #expect(abs((repeats.spread ?? 0) - 2.5.squareRoot()) < 1e-12)
    #expect(abs((repeats.standardUncertainty ?? 0) - 0.5.squareRoot()) < 1e-12)
    #expect(abs((repeats.studentFactor ?? 0) - 2.87) < 0.005)
    #expect(abs(repeats.estimate.budget.systematic - 0.11) < 1e-12)
    #expect(abs(repeats.estimate.budget.random - 0.5.squareRoot()) < 1e-12)
    #expect(Repeats([]) == nil)
    let one = try #require(Repeats([Self.estimate(4, [.init("noise", 0.2, .a)])]))
    #expect(one.spread == nil && one.estimate.budget.random == 0.2)
  }

  /// 1, 1e16 and -1e16 ten thousand times: plain sums lose all the ones.
  @Test func sumsLoseNothing() {
    var sum = CompensatedSum()
    for _ in 0..<10_000 {
      for number in [1, 1e16, -1e16] { sum.add(number) }
    }
    #expect(sum.value == 10_000)
  }
}
