import KelvinModel
import Testing

@testable import KelvinExecution

/// Sums, differences and quotients of rails.
struct RailTests {
  @Test(arguments: [
    ("cpu", ["1.0 cpu"]), ("cpu + gpu", ["1.0 cpu", "1.0 gpu"]),
    ("- io + 0.5 * cpu", ["-1.0 io", "0.5 cpu"]), ("in - -2 * x", ["1.0 in", "2.0 x"]),
    ("+12V - package-0/dram", ["1.0 +12V", "-1.0 package-0/dram"]),
    ("'VDD CPU' + \"a+b\"", ["1.0 VDD CPU", "1.0 a+b"]), ("2 * 1", ["2.0 1"]),
    ("a+b", ["1.0 a+b"])
  ])
  func readsSums(text: String, terms: [String]) throws {
    let sum = try RailSum(text, of: "rails: t")
    #expect(sum.terms.map { "\($0.weight) \($0.name)" } == terms)
  }

  @Test(arguments: [
    ("", "a rail is missing"), ("a +", "a rail is missing"), ("a b", "expected + or -, found 'b'"),
    ("+ + a", "expected the name of a rail, found '+'"), ("a * b", "expected a number before *"),
    ("2 *", "a rail is missing after *"), ("'a", "a quote is left open"), ("nan * a", "a number"),
    ("a / b", "expected + or -")
  ])
  func refusesWhatIsNoSum(text: String, says: String) {
    let failure = #expect(throws: PlainFailure.self) { try RailSum(text, of: "rails: t") }
    #expect(failure?.kind == .configuration)
    #expect(failure?.message.hasPrefix("rails: t: ") == true)
    #expect(failure?.message.contains(says) == true, "\(failure?.message ?? "")")
  }

  @Test func readsQuotients() throws {
    let ratio = try RailRatio("out / 'mains in'", of: "efficiency: psu")
    #expect(ratio.output == "out" && ratio.input == "mains in")
    for text in ["out/in", "a / b / c", "a", "a + b / c", ""] {
      #expect(throws: PlainFailure.self) { try RailRatio(text, of: "efficiency: psu") }
    }
  }

  @Test func findsRailsThatAreOfThemselves() throws {
    for sums in [["a": "a + x"], ["a": "b", "b": "c + x", "c": "x - a"]] {
      let failure = #expect(throws: PlainFailure.self) { try DerivedRails(sums: sums) }
      #expect(failure?.message.contains("a rail of itself") == true)
    }
    // The same rail by two ways is no cycle, and many ways take no time.
    var deep = ["r0": "x + x"]
    for level in 1..<60 { deep["r\(level)"] = "r\(level - 1) + r\(level - 1)" }
    let weights = try DerivedRails(sums: deep).weights(of: "r59") { _ throws(PlainFailure) in 0 }
    #expect(weights == [0: 1_152_921_504_606_846_976])
  }

  private static func measured(
    _ value: Double, gain: Double, noise: Double, ends: Double, meter: String
  ) -> Estimate {
    Estimate(
      value, unit: "J",
      budget: UncertaintyBudget([
        UncertaintyComponent(
          "gain", value * gain, .b, key: CorrelationKey(meter: meter, effect: "gain")),
        UncertaintyComponent("noise", noise, .a),
        UncertaintyComponent("ends of the interval", ends, .b)
      ]), statement: meter)
  }

  @Test func whatAMeterHasInCommonCancels() throws {
    let a = Self.measured(10, gain: 0.01, noise: 0.003, ends: 0.02, meter: "m")
    let b = Self.measured(8, gain: 0.01, noise: 0.004, ends: 0.01, meter: "m")
    let difference = Estimate.rails([(1, a), (-1, b)], statement: "losses")
    #expect(difference.value == 2)
    // The gain's error is of the difference only, noise adds by squares, the common ends without cancelling.
    let expected = (0.02 * 0.02 + 0.003 * 0.003 + 0.004 * 0.004 + 0.03 * 0.03).squareRoot()
    #expect(abs(difference.budget.standard - expected) < 1e-12)
    // On another meter it does not.
    let c = Self.measured(8, gain: 0.01, noise: 0.004, ends: 0.01, meter: "n")
    let apart = Estimate.rails([(1, a), (-1, c)], statement: "losses")
    let wide = (0.01 + 0.0064 + 0.000_025 + 0.0009).squareRoot()
    #expect(abs(apart.budget.standard - wide) < 1e-12)
  }

  @Test func anEfficiencyCountsWhatBothHaveInCommonOnce() throws {
    let estimates = [
      0: Self.measured(6, gain: 0.01, noise: 0.01, ends: 0, meter: "a"),
      1: Self.measured(4, gain: 0.01, noise: 0.02, ends: 0, meter: "b")
    ]
    // y = a / (a + b): ∂y/∂a = b/(a + b)², ∂y/∂b = −a/(a + b)².
    let result = try #require(
      Estimate.efficiency(of: [0: 1], by: [0: 1, 1: 1], estimates, statement: "e"))
    #expect(abs(result.value - 0.6) < 1e-15 && result.unit.isEmpty)
    let (da, db) = (0.04, -0.06)
    let squares = [da * 0.06, da * 0.01, db * 0.04, db * 0.02].map { $0 * $0 }
    #expect(abs(result.budget.standard - squares.reduce(0, +).squareRoot()) < 1e-12)
    #expect(Estimate.efficiency(of: [0: 1], by: [:], estimates, statement: "e") == nil)
  }

  private static func rails(
    _ meters: [(String, [String])], driver: String = "d", chosen: [String] = []
  ) throws -> MeasuredRails {
    try MeasuredRails(
      meters.map { (MeterIdentity(name: $0.0, driver: driver), $0.1) }, chosen: chosen)
  }

  @Test func namesRailsSoThatEachIsMeantOnce() throws {
    let rails = try Self.rails([("a", ["1"]), ("b", ["cpu", "gpu"]), ("c", ["cpu", "x"])])
    #expect(rails.rails.map(\.name) == ["a", "b/cpu", "gpu", "c/cpu", "x"])
    #expect(try rails.index(of: "a") == 0 && rails.index(of: "a/1") == 0)
    #expect(try rails.index(of: "1") == 0 && rails.index(of: "b/gpu") == 2)
    let failure = #expect(throws: PlainFailure.self) { try rails.index(of: "cpu") }
    #expect(failure?.message == "rails: there is no rail 'cpu'")
    #expect(
      #expect(throws: PlainFailure.self) { try rails.index(of: "gpo") }?.hint
        == "did you mean 'gpu'?")
    #expect(throws: PlainFailure.self) { try Self.rails([("a", ["1"])], chosen: ["2"]) }
    #expect(try Self.rails([("b", ["cpu", "gpu"])], chosen: ["gpu"]).rails.map(\.name) == ["gpu"])
  }

  @Test func knowsWhatTheBoardUses() throws {
    let none = try DerivedRails()
    #expect(try Self.rails([("a", ["1"])]).board(none) == [0: 1])
    #expect(try Self.rails([("a", ["1", "2"])]).board(none) == nil)
    #expect(
      try Self.rails([("a", ["1", "2"])]).board(DerivedRails(sums: ["total": "1 + 2"]))
        == [0: 1, 1: 1])
    // RAPL's domains lie within each other.
    let packages = ["package-0", "package-1", "package-0/core", "package-0/dram"]
    #expect(try Self.rails([("rapl", packages)], driver: "rapl").board(none) == [0: 1, 1: 1])
    #expect(
      try Self.rails([("rapl", packages + ["psys"])], driver: "rapl").board(none) == [4: 1])
  }
}
