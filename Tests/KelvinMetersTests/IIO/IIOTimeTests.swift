import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

struct IIOTimeTests {
  /// Events and loss for these time stamps, in pieces of random length.
  func judge(
    _ times: [Int64], period: Double?, seed: UInt64 = 1
  ) -> (lost: Int64, events: [CaptureEvent], times: [Int64]) {
    var generator = SeededGenerator(seed: seed)
    var pace = IIOPace(period: period)
    var events: [CaptureEvent] = []
    var kept: [Int64] = []
    var rest = times[...]
    while !rest.isEmpty {
      var part = Array(rest.prefix(Int(generator.next() % 40) + 1))
      rest = rest.dropFirst(part.count)
      pace.take(&part, note: "") { events.append($0) }
      kept += part
    }
    pace.finish(note: "") { events.append($0) }
    return (pace.lost, events, kept)
  }

  @Test(arguments: [nil, 1e6, 0.93e6] as [Double?])
  func countsWhatIsMissing(period: Double?) {
    var times = (0..<4000).map { Int64($0) * 1_000_000 }
    times.removeSubrange(2000..<2017)
    times.remove(at: 1000)
    let (lost, events, _) = judge(times, period: period)
    #expect(lost == 18)
    #expect(events.map(\.kind) == [.gap, .gap])
    #expect(events.map(\.count) == [1, 17])
    #expect(events.last?.from == 1_999_000_000 && events.last?.to == 2_017_000_000)
  }

  /// Late scans whose next ones make up for it are no loss.
  @Test(arguments: 1...5 as ClosedRange<UInt64>)
  func takesJitterForNoLoss(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let times = (0..<5000).map { index -> Int64 in
      let late: Int64 = generator.chance(0.02) ? 800_000 : 0
      return Int64(index) * 1_000_000 + Int64(generator.next() % 200_000) + late
    }
    let (lost, events, _) = judge(times, period: 1e6, seed: seed)
    #expect(lost == 0 && events.isEmpty, "seed \(seed)")
  }

  @Test func judgesTheLastInterval() {
    let (lost, _, _) = judge([0, 1, 2, 3, 7].map { $0 * 1_000_000 }, period: 1e6)
    #expect(lost == 3)
  }

  @Test func keepsTimesAscendingWhenTheClockIsSetBack() {
    var times = (0..<100).map { Int64($0) * 1_000_000 }
    for index in 50..<100 { times[index] -= 3_600_000_000_000 }
    let (lost, events, kept) = judge(times, period: 1e6)
    #expect(zip(kept, kept.dropFirst()).allSatisfy { $0 < $1 })
    #expect(events.map(\.kind) == [.clockStep] && lost == 0)
    #expect(kept.last == 99_000_000)
  }

  /// Offset and skew of a clock whose observations are late by up to 30 ms, most by less.
  @Test(arguments: 1...5 as ClosedRange<UInt64>)
  func fitsAClockBelowItsObservations(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var fitter = IIOClockFitter(shortestDelay: 400_000)
    let skew = 40e-6
    for index in 0..<2000 {
      let meter = Int64(index) * 50_000_000 + 1_000_000_000_000
      let host = meter + 5_000_000_000 + Int64(Double(meter - 1_000_000_000_000) * skew)
      let part = Double(generator.next() >> 11) / Double(1 << 53)
      // The way itself takes 0.2 ms at least.
      fitter.take(meter: meter, host: host + 200_000 + Int64(30e6 * part * part * part))
    }
    let fit = try #require(fitter.fit)
    #expect(abs(fit.skew - skew) < 1e-6, "seed \(seed)")
    for index in [0, 1000, 1999] {
      let meter = Int64(index) * 50_000_000 + 1_000_000_000_000
      let host = meter + 5_000_000_000 + Int64(Double(meter - 1_000_000_000_000) * skew)
      #expect(abs(fit.host(meter) - host) < 100_000, "seed \(seed)")
    }
    #expect(fit.count == 2000 && fit.uncertainty > 100_000 && fit.uncertainty < 200_000)
  }

  @Test func fitsAFewObservationsByTheFastest() throws {
    var fitter = IIOClockFitter(shortestDelay: 0)
    #expect(fitter.fit == nil)
    for (meter, late) in [(0, 900), (1000, 300), (2000, 500)] as [(Int64, Int64)] {
      fitter.take(meter: meter, host: meter + 10_000 + late)
    }
    #expect(fitter.fit?.offset == 10_300 && fitter.fit?.skew == 0)
  }
}
