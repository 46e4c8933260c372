internal import Glibc
import KelvinModel
import Testing

struct StepAlignmentTests {
  private static let ms: Int64 = 1_000_000

  @Test(arguments: 3...10)
  func patternsAreOfMaximalLength(order: Int) {
    let pattern = StepPattern.pseudoRandom(order: order, dwell: 10, start: 100)
    var busy: Int64 = 0
    for (index, pair) in zip(pattern.edges, pattern.edges.dropFirst()).enumerated()
    where index % 2 == 0 { busy += pair.1 - pair.0 }
    // 2^(n−1) of 2^n − 1 are busy, in 2^(n−2) runs or one more where the ends meet.
    #expect(busy == Int64(1 << (order - 1)) * 10)
    #expect(pattern.edges.count % 2 == 0)
    #expect([1 << (order - 2), (1 << (order - 2)) + 1].contains(pattern.edges.count / 2))
    #expect(pattern.edges.first == 100)
  }

  /// The response of a first-order lag to the pattern, sampled at any times, with noise.
  private static func trace(
    _ pattern: StepPattern, offset: Double, lag: Double, noise: Double, step: Double,
    seconds: Double, dice: inout Dice
  ) -> (times: [Int64], power: [Double]) {
    var times: [Int64] = []
    var power: [Double] = []
    let phase = dice.unit()
    for index in 0..<Int(seconds / step) {
      let t = (Double(index) + phase) * step * 1e9
      var value = 1.0
      for (place, edge) in pattern.edges.enumerated() {
        let since = t - Double(edge) - offset
        guard since >= 0 else { break }
        let response = lag > 0 ? 1 - exp(-since / lag) : 1
        value += place % 2 == 0 ? response : -response
      }
      times.append(Int64(t))
      power.append(value + noise * dice.normal())
    }
    return (times, power)
  }

  @Test(arguments: [(0.0, 0.0), (0, 0.1), (4e6, 0), (4e6, 0.1), (8e6, 0)])
  func findsTheOffsetWithinItsError(lag: Double, noise: Double) throws {
    var inside = 0
    for seed in 0..<60 as Range<UInt64> {
      var dice = Dice(seed: seed)
      let pattern = StepPattern.pseudoRandom(order: 6, dwell: 50_370_000, start: 500 * Self.ms)
      let offset = dice.within(300e6)
      let (times, power) = Self.trace(
        pattern, offset: offset, lag: lag, noise: noise, step: 1e-3, seconds: 4.5, dice: &dice)
      let found = try StepAlignment.find(
        pattern, times: times, power: power, searching: -400 * Self.ms...400 * Self.ms)
      // Delay and lag together are what energy sees.
      let error = found.offset - offset - lag
      #expect(abs(error) < 1e6, "seed \(seed): \(error)")
      #expect(found.standardError > 0 && found.standardError < 0.3e6)
      #expect(abs(found.contrast - 1) < 0.1)
      if noise == 0 { #expect(abs(found.lag - lag) < 0.5e6, "seed \(seed): \(found.lag)") }
      if abs(error) <= 2 * found.standardError { inside += 1 }
    }
    #expect(inside >= 53, "\(inside) of 60")
  }

  /// Each edge meets the samples at the same place: nothing averages out, and the error says so.
  @Test func edgesInStepWithTheSamplesKnowNoMoreThanOne() throws {
    var dice = Dice(seed: 7)
    let pattern = StepPattern.pseudoRandom(order: 6, dwell: 50 * Self.ms, start: 500 * Self.ms)
    let (times, power) = Self.trace(
      pattern, offset: 3.3e6, lag: 0, noise: 0, step: 1e-3, seconds: 4.5, dice: &dice)
    let found = try StepAlignment.find(
      pattern, times: times, power: power, searching: -100 * Self.ms...100 * Self.ms)
    #expect(abs(found.standardError / (1e6 / 12.0.squareRoot()) - 1) < 0.05)
    #expect(abs(found.offset - 3.3e6) <= 2 * found.standardError)
  }

  @Test func aTraceWithoutThePatternIsRefused() {
    var dice = Dice(seed: 1)
    let pattern = StepPattern.pseudoRandom(order: 6, dwell: 50 * Self.ms, start: 0)
    let times = (0..<4000).map { Int64($0) * Self.ms }
    let steady = [Double](repeating: 1, count: 4000)
    let noise = times.map { _ in dice.normal() }
    for power in [steady, noise] {
      #expect(throws: FigureFailure.self) {
        try StepAlignment.find(
          pattern, times: times, power: power, searching: -400 * Self.ms...400 * Self.ms)
      }
    }
  }

  @Test func badInputIsRefused() {
    let pattern = StepPattern.pseudoRandom(order: 3, dwell: Self.ms, start: 0)
    let times = (0..<100).map { Int64($0) * Self.ms }
    let power = [Double](repeating: 1, count: 100)
    for (pattern, times, power, range) in [
      (StepPattern(edges: []), times, power, 0...1),
      (pattern, [], [], 0...1), (pattern, times, [1], 0...1),
      (pattern, times.reversed(), power, 0...1),
      (pattern, times, power, Int64.min...Int64.max)
    ] as [(StepPattern, [Int64], [Double], ClosedRange<Int64>)] {
      #expect(throws: FigureFailure.self) {
        try StepAlignment.find(pattern, times: times, power: power, searching: range)
      }
    }
  }
}
