import KelvinModel
import Testing

@testable import KelvinConnections

/// Clocks that are known, read over ways that are not even.
@Suite struct BoardClockTests {
  /// A board whose clock is the host's less `offset`, slower by `skew`.
  struct Board {
    var offset: Double
    var skew: Double
    func time(at host: Double) -> Int64 { Int64(((host - offset) / (1 + skew)).rounded()) }

    /// A question sent at a time of the host, with the time that each way takes.
    func reading(at host: Double, out: Double, back: Double) -> ClockReading {
      ClockReading(
        sent: Int64(host), boardReceived: time(at: host + out),
        boardSent: time(at: host + out + 500), received: Int64(host + out + 500 + back))
    }
  }

  @Test func anEvenWayGivesTheOffsetItself() {
    let reading = Board(offset: 1e9, skew: 0).reading(at: 5e9, out: 40_000, back: 40_000)
    #expect(reading.offset == 1_000_000_000)
    #expect(reading.roundTrip == 80_000)
    #expect(reading.bound == 40_000)
  }

  @Test(arguments: [(0.0, 100_000.0), (100_000, 0), (3000, 60_000), (55_000, 1000)])
  func anUnevenWayIsWithinTheBound(out: Double, back: Double) {
    let reading = Board(offset: -7e9, skew: 0).reading(at: 5e9, out: out, back: back)
    #expect(abs(reading.offset + 7_000_000_000) <= reading.bound)
  }

  /// 1000 seeded cases: whatever the way does, the true time is within what is said.
  @Test func theTrueTimeIsWithinTheBoundBetweenTheReadings() {
    var random = SplitMix(seed: 11)
    for _ in 0..<1000 {
      let board = Board(
        offset: Double(random.next() % 2_000_000_000_000) - 1e12,
        skew: (Double(random.next() % 2001) - 1000) * 1e-7)
      func burst(_ host: Double) -> [ClockReading] {
        (0..<8).map { index in
          board.reading(
            at: host + Double(index) * 1e6, out: Double(random.next() % 200_000) + 20_000,
            back: Double(random.next() % 200_000) + 20_000)
        }
      }
      let span = Double(random.next() % 100_000_000_000) + 2e7
      var clock = BoardClock()
      clock.add(burst(2e12))
      clock.add(burst(2e12 + span))
      guard let fit = clock.fit else {
        Issue.record("no fit")
        continue
      }
      let bound = clock.bound(of: fit)
      #expect(abs(fit.uncertainty * 3.0.squareRoot() - Double(bound)) < 1)
      for part in [0.0, 0.3, 0.77, 1] {
        let host = 2e12 + 1e7 + part * (span - 1e7)
        // Rounding to whole nanoseconds on both clocks.
        #expect(abs(Double(fit.host(board.time(at: host))) - host) <= Double(bound) + 3)
      }
    }
  }

  @Test func aClockThatJumpedInBetweenWidensTheBound() {
    let board = Board(offset: 1e9, skew: 0)
    let late = Board(offset: 1e9 + 5e6, skew: 0)
    var clock = BoardClock()
    clock.add([board.reading(at: 1e9, out: 30_000, back: 30_000)])
    clock.add([late.reading(at: 6e9, out: 40_000, back: 40_000)])
    clock.add([board.reading(at: 11e9, out: 30_000, back: 30_000)])
    let bound = clock.fit.map(clock.bound(of:)) ?? 0
    #expect(bound > 4_900_000 && bound < 5_200_000)
  }

  @Test(
    arguments: [
      (0, Int64.max, 1, Int64.max), (0, -1, -1, 10), (0, 5, 4, 10), (0, 0, 11, 10),
      (0, 1 << 60, 1 << 60, 10)
    ] as [(Int64, Int64, Int64, Int64)])
  func whatNoClockSaysIsNotTaken(
    sent: Int64, boardReceived: Int64, boardSent: Int64, received: Int64
  ) {
    let reading = ClockReading(
      sent: sent, boardReceived: boardReceived, boardSent: boardSent, received: received)
    #expect(!reading.isPlausible)
  }

  /// A clock that was set, or stands: no trap, and a bound that says so.
  @Test(arguments: [0, 1, 1 << 59, 2_000_000_000] as [Int64])
  func aClockThatWasSetHasABoundThatSaysSo(second: Int64) throws {
    var clock = BoardClock()
    clock.add([
      ClockReading(sent: 1_000_000_000, boardReceived: 5, boardSent: 6, received: 1_000_000_500)
    ])
    clock.add([
      ClockReading(
        sent: 2_000_000_000, boardReceived: second, boardSent: second, received: 2_000_000_500)
    ])
    let fit = try #require(clock.fit)
    #expect(clock.bound(of: fit) > 900_000_000)
    for time in [0, Int64.max, 1 << 60] { _ = fit.safeHost(time) }
    var live = LiveClock()
    live.begin(clock)
    live.follow(clock)
    var samples = [Int64.max, 0].map { Sample(nanoseconds: $0, mantissa: 0, channel: 0) }
    live.map(&samples)
    #expect(live.greatestDistance(from: fit) >= 0)
  }

  @Test func whatWasMappedBeforeTheEndSaysHowFarItIsOff() throws {
    // 100 ppm, which nothing tells before the first reading in the window.
    let board = Board(offset: 0, skew: 1e-4)
    var clock = BoardClock()
    var live = LiveClock()
    clock.add([board.reading(at: 1e9, out: 10_000, back: 10_000)])
    live.begin(clock)
    func map(_ hosts: [Double]) -> [Int64] {
      var samples = hosts.map { Sample(nanoseconds: board.time(at: $0), mantissa: 0, channel: 0) }
      live.map(&samples)
      return samples.map(\.nanoseconds)
    }
    let early = map([1.5e9, 2e9])
    clock.add([board.reading(at: 2e9, out: 10_000, back: 10_000)])
    live.follow(clock)
    let later = map([2.1e9, 9e9])
    clock.add([board.reading(at: 10e9, out: 10_000, back: 10_000)])
    let fit = try #require(clock.fit)
    let distance = live.greatestDistance(from: fit)
    // One second at 100 ppm.
    #expect(distance >= 95_000 && distance < 110_000)
    let limit = distance + clock.bound(of: fit) + 3
    for (mapped, host) in zip(early + later, [1.5e9, 2e9, 2.1e9, 9e9]) {
      #expect(abs(mapped - Int64(host)) <= limit)
    }
    #expect(abs(later[1] - 9_000_000_000) < 1000)
    #expect(early + later == (early + later).sorted())
  }
}

/// The generator of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
struct SplitMix {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }
}
