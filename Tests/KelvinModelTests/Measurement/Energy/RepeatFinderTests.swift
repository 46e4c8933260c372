import KelvinModel
import Testing

struct RepeatFinderTests {
  /// Polls each `poll` ms a chip that converts each `conversion` ms.
  private static func finder(
    poll: Double, conversion: Double, count: Int, codes: (Int) -> Int64
  ) -> RepeatFinder {
    var finder = RepeatFinder()
    for start in stride(from: 0, to: count, by: 50) {
      let part = start..<min(count, start + 50)
      finder.add(
        SampleBlock(
          channel: 0, times: part.map { Int64(Double($0) * poll * 1e6) },
          codes: part.map { codes(Int((Double($0) * poll / conversion).rounded(.down))) }))
    }
    return finder
  }

  @Test(arguments: [2.0, 2.5, 4, 35, 140.8])
  func pollingFasterThanConversionsIsFound(conversion: Double) throws {
    var dice = Dice(seed: 3)
    let values = (0..<20_000).map { _ in Int64(dice.unit() * 100_000) }
    let finder = Self.finder(
      poll: 1, conversion: conversion, count: max(2000, Int(conversion) * 40)
    ) { values[$0] }
    let finding = try #require(finder.finding)
    #expect(abs(finding.conversionPeriod / (conversion * 1e6) - 1) < 0.05)
    #expect(abs(finding.effectiveRate / (1e3 / conversion) - 1) < 0.05)
    let expected = Double(finder.samples) * (1 - 1 / conversion)
    #expect(abs(Double(finding.repeats) / expected - 1) < 0.05)
  }

  /// Some conversions give the same code as the one before.
  @Test func equalConversionsDoNotHideTheirPeriod() throws {
    var dice = Dice(seed: 4)
    let values = (0..<2000).map { _ in Int64(dice.unit() * 4) }
    let finder = Self.finder(poll: 1, conversion: 10, count: 5000) { values[$0] }
    let finding = try #require(finder.finding)
    #expect(abs(finding.conversionPeriod / 10e6 - 1) < 0.05)
  }

  @Test func conversionsOfTheirOwnAreNoRepeats() {
    var dice = Dice(seed: 5)
    for levels in [2.0, 3, 1000] {
      let values = (0..<3000).map { _ in Int64(dice.unit() * levels) }
      #expect(Self.finder(poll: 1, conversion: 1, count: 3000) { values[$0] }.finding == nil)
    }
  }

  /// A steady value changes its code now and then, at any sample.
  @Test(arguments: [5.0, 20, 100])
  func rareChangesAreNoPeriod(mean: Double) {
    var dice = Dice(seed: 6)
    var code: Int64 = 0
    let values = (0..<40_000).map { _ in
      if dice.unit() < 1 / mean { code = 1 - code }
      return code
    }
    #expect(Self.finder(poll: 1, conversion: 1, count: 40_000) { values[$0] }.finding == nil)
  }

  @Test func aValueThatNeverChangesIsStuckAndTellsNoPeriod() {
    let finder = Self.finder(poll: 1, conversion: 1, count: 1000) { _ in 7 }
    #expect(finder.isStuck && finder.finding == nil)
    #expect(RepeatFinder().finding == nil && !RepeatFinder().isStuck)
  }
}
