import KelvinModel
import Testing

/// Each defect of a counter's readers that meters.md section 7 names.
struct CounterEnergyTests {
  private static let meter = MeterIdentity(name: "rapl", driver: "powercap")
  private static let second: Int64 = 1_000_000_000
  /// As powercap has it on many machines: 2³² − 1 units of 61.035 uJ.
  private static let packageWrap: UInt64 = 262_143_328_850

  private static func channel(_ name: String, wrap: UInt64?) -> Channel {
    Channel(name: name, unit: "uJ", kind: .energy, wrap: wrap)
  }

  private static func counter(
    wrap: UInt64?, greatest: Double? = 500, seconds: ClosedRange<Int64> = 0...10
  ) throws -> CounterEnergy {
    try CounterEnergy(
      0, of: [channel("package-0", wrap: wrap)], meter: meter, greatestPower: greatest,
      intervals: [seconds.lowerBound * second...seconds.upperBound * second])
  }

  private static func figure(
    _ counter: CounterEnergy, _ readings: [(second: Int64, code: Int64)],
    events: [CaptureEvent] = []
  ) -> EnergyFigure {
    var counter = counter
    for event in events { counter.take(event) }
    for reading in readings {
      counter.take([
        SampleBlock(channel: 0, times: [reading.second * second], codes: [reading.code])
      ])
    }
    counter.finish()
    return counter.figure(of: 0)
  }

  @Test func differencesAreEnergy() throws {
    let figure = Self.figure(
      try Self.counter(wrap: Self.packageWrap),
      [(0, 1_000_000), (4, 41_000_000), (10, 101_000_000)])
    #expect(abs(figure.measured - 100) < 1e-9)
    #expect(figure.coverage == 1)
    #expect(abs((figure.mean ?? 0) - 10) < 1e-9)
    #expect(abs((figure.least ?? 0) - 10) < 1e-9 && abs((figure.greatest ?? 0) - 10) < 1e-9)
    #expect(figure.lossBound == 0)
    // One code of 1 uJ, at both ends.
    #expect(abs(figure.budget.standard - 1e-6 * (2.0 / 12).squareRoot()) < 1e-12)
  }

  /// powerjoular#45: negative watts when the counter starts again.
  @Test func aWrapIsCountedOn() throws {
    let wrap = Int64(Self.packageWrap)
    let figure = Self.figure(
      try Self.counter(wrap: Self.packageWrap),
      [(0, wrap - 50_000_000), (5, wrap - 1), (10, 50_000_000)])
    #expect(abs(figure.measured - 100) < 1e-9)
    #expect((figure.least ?? -1) > 0)
    #expect(figure.losses.count == 0)
  }

  /// After as many codes as `wrap` says comes 0: new + wrap − old, wherever the readings are.
  @Test(arguments: [(9, 0, 1), (0, 9, 9), (5, 4, 9), (9, 1, 2)] as [(Int64, Int64, Int64)])
  func countsFromOneCodeBelowTheWrapToZeroAsOne(old: Int64, new: Int64, codes: Int64) throws {
    let figure = Self.figure(try Self.counter(wrap: 10, greatest: nil), [(0, old), (10, new)])
    #expect(abs(figure.measured - Double(codes) * 1e-6) < 1e-15)
  }

  /// powerjoular#87: more than 260,000 W, because domains share one's end.
  @Test func eachDomainHasItsOwnEnd() throws {
    let channels = [
      Self.channel("package-0", wrap: Self.packageWrap), Self.channel("dram", wrap: 65_712_999_613)
    ]
    let codes: [Int64] = [Int64(Self.packageWrap) - 10_000_000, 65_712_999_613 - 10_000_000]
    for index in 0...1 {
      var counter = try CounterEnergy(
        index, of: channels, meter: Self.meter, greatestPower: 500,
        intervals: [0...Self.second])
      counter.take([
        SampleBlock(channel: 0, times: [0, Self.second], codes: [codes[0], 10_000_000]),
        SampleBlock(channel: 1, times: [0, Self.second], codes: [codes[1], 10_000_000])
      ])
      counter.finish()
      #expect(abs(counter.figure(of: 0).measured - 20) < 1e-9)
      #expect(counter.wraps == 1)
    }
  }

  /// codecarbon#1309, zeus#91: read so seldom that it may have gone around more than once.
  @Test func severalWrapsCannotBeToldAndAreLost() throws {
    // At 500 W it goes around in 524 s.
    let figure = Self.figure(
      try Self.counter(wrap: Self.packageWrap, seconds: 0...1200),
      [(0, 0), (100, 1_000_000_000), (1200, 12_000_000_000)])
    #expect(abs(figure.measured - 10 * 100) < 1e-9)
    #expect(figure.losses.spans.map(\.kind) == [.wrap])
    #expect(figure.losses.duration == 1100 * Self.second)
    // Between none at all and 500 W.
    #expect(abs((figure.possibleLost?.upperBound ?? 0) - 550_000) < 1e-6)
    #expect(figure.possibleLost?.lowerBound == 0)
    #expect((figure.lossBound ?? 0) >= 539_000)
    // With the same readings often enough, nothing is lost.
    let often = Self.figure(
      try Self.counter(wrap: Self.packageWrap, seconds: 0...1200),
      stride(from: 0, through: 1200, by: 100).map { (Int64($0), Int64($0) * 10_000_000) })
    #expect(often.coverage == 1 && abs(often.measured - 12_000) < 1e-9)
  }

  /// EnergiBridge#17: −250,769 J, a counter that went back without its end being known.
  @Test(arguments: [nil, 0] as [UInt64?])
  func withoutAKnownEndTheIntervalIsDroppedAndSaidSo(wrap: UInt64?) throws {
    let figure = Self.figure(
      try Self.counter(wrap: wrap),
      [(0, 250_769_000_000), (4, 250_809_000_000), (5, 9_000_000), (10, 59_000_000)])
    #expect(abs(figure.measured - 90) < 1e-9)
    #expect(figure.losses.spans.map(\.kind) == [.reset])
    #expect(figure.coverage == 0.9)
    #expect(abs(figure.losses.interpolated - 10) < 1e-9)
  }

  /// ls1-mardyn#381: 4.6e12 J, from a difference that was taken as unsigned.
  @Test func aStepThatNoPowerExplainsIsNoEnergy() throws {
    for code in [Int64.max, 4_600_000_000_000_000_000, -5, .min] {
      let figure = Self.figure(
        try Self.counter(wrap: Self.packageWrap), [(0, 0), (5, 50_000_000), (10, code)])
      #expect(abs(figure.measured - 50) < 1e-9)
      #expect(figure.losses.spans.map(\.kind) == [.reset])
    }
  }

  /// It goes back a little: around would be more than can have flowed.
  @Test func aCounterThatJumpsBackIsLostNotAWrap() throws {
    let figure = Self.figure(
      try Self.counter(wrap: Self.packageWrap),
      [(0, 100_000_000), (5, 150_000_000), (6, 149_000_000), (10, 189_000_000)])
    #expect(abs(figure.measured - 90) < 1e-9)
    #expect(figure.losses.spans.map(\.kind) == [.reset])
    #expect(figure.losses.spans.map(\.from) == [5 * Self.second])
    #expect(figure.losses.spans.map(\.to) == [6 * Self.second])
    #expect(abs(figure.losses.interpolated - 10) < 1e-9)
  }

  @Test(arguments: [CaptureEvent.Kind.suspend, .reset, .clockStep])
  func whatASuspendOrResetTouchesIsLost(kind: CaptureEvent.Kind) throws {
    let figure = Self.figure(
      try Self.counter(wrap: Self.packageWrap),
      [
        (0, 0), (4, 40_000_000), (6, 41_000_000),
        (10, 81_000_000)
      ],
      events: [CaptureEvent(kind, from: 5 * Self.second, to: 5 * Self.second)])
    #expect(abs(figure.measured - 80) < 1e-9)
    #expect(figure.coverage == 0.8)
    #expect(figure.losses.spans.map(\.kind.rawValue) == [kind.rawValue])
    #expect(figure.events[kind] == 1)
  }

  @Test func aGapInReadingACounterLosesNothing() throws {
    let figure = Self.figure(
      try Self.counter(wrap: Self.packageWrap), [(0, 0), (10, 100_000_000)],
      events: [CaptureEvent(.gap, from: Self.second, to: 9 * Self.second)])
    #expect(abs(figure.measured - 100) < 1e-9 && figure.coverage == 1)
  }

  @Test func endsThatCutAStepKnowTheirShareOnlySoFar() throws {
    var counter = try CounterEnergy(
      0, of: [Self.channel("package-0", wrap: Self.packageWrap)], meter: Self.meter,
      greatestPower: 500, intervals: [Self.second / 2...Self.second * 9])
    counter.take([
      SampleBlock(
        channel: 0, times: [0, Self.second, 9 * Self.second, 10 * Self.second],
        codes: [0, 10_000_000, 90_000_000, 100_000_000])
    ])
    counter.finish()
    let figure = counter.figure(of: 0)
    #expect(abs(figure.measured - 85) < 1e-9)
    // 10 J of which half is inside: rectangular from 0 to 10, 10/√12.
    #expect(abs(figure.budget.standard - 10 / 12.0.squareRoot()) < 1e-6)
  }

  @Test func readingsOutsideAreEdgesAndNothingAtAllIsNoEnergy() throws {
    let figure = Self.figure(
      try Self.counter(wrap: Self.packageWrap), [(2, 0), (8, 60_000_000)])
    #expect(abs(figure.measured - 60) < 1e-9)
    #expect(figure.losses.time == [.edge: 4 * Self.second])
    let nothing = Self.figure(try Self.counter(wrap: Self.packageWrap), [])
    #expect(nothing.measured == 0 && nothing.coverage == 0)
    #expect(abs((nothing.possibleLost?.upperBound ?? 0) - 5000) < 1e-6)
  }

  @Test func readingsThatComeTwiceAreCountedOnce() throws {
    var counter = try Self.counter(wrap: Self.packageWrap)
    counter.take([
      SampleBlock(
        channel: 0, times: [0, 0, 5 * Self.second, 4 * Self.second, 10 * Self.second],
        codes: [0, 7, 50_000_000, 3, 100_000_000])
    ])
    counter.finish()
    #expect(abs(counter.figure(of: 0).measured - 100) < 1e-9)
    #expect(counter.outOfOrder == 2)
  }

  @Test func channelsThatCountNoEnergyAreRefused() {
    #expect(throws: FigureFailure.self) {
      try CounterEnergy(
        0, of: [Channel(name: "p", unit: "W")], meter: Self.meter, intervals: [0...1])
    }
    #expect(throws: FigureFailure.self) {
      try CounterEnergy(3, of: [], meter: Self.meter, intervals: [0...1])
    }
  }
}
