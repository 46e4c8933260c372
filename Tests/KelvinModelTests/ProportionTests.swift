import KelvinModel
import Testing

struct ProportionTests {
  /// R. G. Newcombe, Statistics in Medicine 17 (1998), pages 857 to 872, table I, method 3 (score,
  /// without correction for continuity).
  @Test(arguments: [
    (count: 81, total: 263, lower: 0.2553, upper: 0.3662),
    (count: 15, total: 148, lower: 0.0624, upper: 0.1605),
    (count: 0, total: 20, lower: 0.0, upper: 0.1611),
    (count: 1, total: 29, lower: 0.0061, upper: 0.1718)
  ])
  func intervalsAreThosePublished(count: Int, total: Int, lower: Double, upper: Double) {
    let interval = Proportion(count, of: total).interval
    #expect(abs(interval.lowerBound - lower) <= 0.000_05)
    #expect(abs(interval.upperBound - upper) <= 0.000_05)
  }

  @Test func anIntervalHoldsItsShareAndStaysWithinZeroAndOne() throws {
    for total in 1...60 {
      for count in 0...total {
        let proportion = Proportion(count, of: total)
        let interval = proportion.interval
        #expect(interval.contains(try #require(proportion.share)))
        #expect(interval.lowerBound >= 0 && interval.upperBound <= 1)
        // What came out so and what did not mirror each other.
        let other = Proportion(total - count, of: total).interval
        #expect(abs(interval.lowerBound - (1 - other.upperBound)) < 1e-12)
      }
    }
  }

  @Test func nothingTriedSaysNothing() {
    #expect(Proportion(0, of: 0).share == nil)
    #expect(Proportion(0, of: 0).interval == 0...1)
  }

  @Test func whatCannotBeIsTakenForTheNearestThatCan() {
    #expect(Proportion(7, of: 5) == Proportion(5, of: 5))
    #expect(Proportion(-1, of: 5) == Proportion(0, of: 5))
    #expect(Proportion(1, of: -5) == Proportion(0, of: 0))
    #expect(Proportion(.max, of: .max).interval.upperBound == 1)
  }
}
