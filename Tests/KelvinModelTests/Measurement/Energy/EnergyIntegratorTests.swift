import KelvinModel
import Testing

struct EnergyIntegratorTests {
  private static let ms: Int64 = 1_000_000
  private static let meter = MeterIdentity(name: "m", driver: "d")

  private static func power(
    range: ClosedRange<Double>? = nil, accuracy: Accuracy? = nil, averaging: Double? = nil
  ) throws -> PowerSource {
    try PowerSource(
      .power(0),
      of: [
        Channel(
          name: "p", unit: "mW", kind: .power, range: range, accuracy: accuracy,
          averagingTime: averaging)
      ], meter: meter)
  }

  private static func product() throws -> PowerSource {
    try PowerSource(
      .product(voltage: 0, current: 1),
      of: [
        Channel(name: "v", unit: "mV", site: "a", kind: .voltage),
        Channel(name: "i", unit: "mA", site: "a", kind: .current)
      ], meter: meter)
  }

  /// Codes in mW each millisecond from 0.
  private static func block(_ codes: [Int64], from: Int64 = 0) -> SampleBlock {
    SampleBlock(
      channel: 0,
      times: .regular(first: from * ms, step: Double(ms), count: codes.count), codes: codes)
  }

  private static func figure(
    _ source: PowerSource, _ interval: ClosedRange<Int64>, _ blocks: [SampleBlock],
    events: [CaptureEvent] = [], spacing: EnergyIntegrator.Spacing = .every(1e6),
    possible: ClosedRange<Double>? = nil
  ) throws -> EnergyFigure {
    var integrator = EnergyIntegrator(
      source, spacing: spacing, possiblePower: possible, intervals: [interval])
    for event in events { integrator.take(event) }
    for block in blocks { try integrator.take([block]) }
    integrator.finish()
    return integrator.figure(of: 0)
  }

  /// A straight line is integrated exactly, also where the ends cut a panel.
  @Test func endsAreInterpolated() throws {
    // 0, 1, 2 ... 100 mW each ms: P = t W/s.
    let codes = (0...100).map(Int64.init)
    for (from, to) in [(0, 100_000_000), (10_300_000, 70_900_001), (5_100_000, 5_200_000)]
      as [(Int64, Int64)]
    {
      let figure = try Self.figure(Self.power(), from...to, [Self.block(codes)])
      let (a, b) = (Double(from) * 1e-9, Double(to) * 1e-9)
      #expect(abs(figure.measured - (b * b - a * a) / 2) < 1e-15)
      #expect(figure.coverage == 1)
      #expect(figure.samples == Int64((to / Self.ms) - ((from + Self.ms - 1) / Self.ms) + 1))
    }
  }

  @Test func howeverBlocksAreCutTheFigureIsTheSame() throws {
    let codes = (0..<300).map { Int64(($0 * 7919) % 1000) }
    let times = (0..<300).map { Int64($0) * Self.ms + Int64(($0 * 31) % 17) * 10_000 }
    let whole = try Self.figure(
      Self.power(), 3_500_000...290_250_000,
      [SampleBlock(channel: 0, times: times, codes: codes)])
    for length in [1, 2, 3, 7, 64, 299] {
      let blocks = stride(from: 0, to: 300, by: length).map {
        let part = $0..<min($0 + length, 300)
        return SampleBlock(channel: 0, times: Array(times[part]), codes: Array(codes[part]))
      }
      let figure = try Self.figure(Self.power(), 3_500_000...290_250_000, blocks)
      #expect(abs(figure.measured / whole.measured - 1) < 1e-14)
      #expect(figure.samples == whole.samples && figure.covered == whole.covered)
      #expect(figure.least == whole.least && figure.greatest == whole.greatest)
      #expect(abs(figure.budget.standard / whole.budget.standard - 1) < 1e-9)
    }
  }

  @Test func powerIsComputedSampleBySample() throws {
    // Voltage and current move against each other: the product of the means would be wrong.
    let volts: [Int64] = [5000, 4000, 5000, 4000, 5000]
    let amps: [Int64] = [100, 900, 100, 900, 100]
    let times = (0..<5).map { Int64($0) * Self.ms }
    var integrator = EnergyIntegrator(
      try Self.product(), spacing: .every(1e6), intervals: [0...4 * Self.ms])
    try integrator.take([
      SampleBlock(channel: 0, times: times, codes: volts),
      SampleBlock(channel: 1, times: times, codes: amps)
    ])
    integrator.finish()
    // 0.5, 3.6, 0.5, 3.6, 0.5 W.
    #expect(abs(integrator.figure(of: 0).measured - 8.2e-3) < 1e-15)
  }

  /// A meter that reads one after the other: the voltage is brought to the current's times.
  @Test func voltagesOfOtherTimesAreInterpolated() throws {
    var integrator = EnergyIntegrator(
      try Self.product(), spacing: .every(1e6), intervals: [2 * Self.ms...50 * Self.ms])
    // Voltage rises by 10 mV a ms and is read 0.2 ms before a current of 1 A.
    for start in stride(from: 0, to: 60, by: 6) {
      let numbers = (start..<start + 6).map(Int64.init)
      try integrator.take([
        SampleBlock(
          channel: 0, times: numbers.map { $0 * Self.ms }, codes: numbers.map { 1000 + $0 * 10 })
      ])
      try integrator.take([
        SampleBlock(
          channel: 1, times: numbers.map { $0 * Self.ms + 200_000 },
          codes: [Int64](repeating: 1000, count: 6))
      ])
    }
    integrator.finish()
    let figure = integrator.figure(of: 0)
    // 1 V + 10 V/s·t from 2 to 50 ms.
    #expect(abs(figure.measured - (0.048 + 5 * (0.05 * 0.05 - 0.002 * 0.002))) < 1e-12)
    #expect(figure.coverage == 1)
    #expect(integrator.unpaired == 0)
  }

  @Test func anAssumedVoltageIsInTheBudget() throws {
    let source = try PowerSource(
      .assumed(.init(3.7, uncertainty: 0.05), current: 0),
      of: [Channel(name: "i", unit: "uA", kind: .current)], meter: Self.meter)
    let figure = try Self.figure(
      source, 0...100 * Self.ms, [Self.block([Int64](repeating: 1_000_000, count: 101))])
    #expect(abs(figure.measured - 0.37) < 1e-12)
    let part = figure.budget.components.first { $0.name == "assumed voltage" }
    #expect(abs((part?.value ?? 0) - 0.005) < 1e-12)
    #expect(part?.isSystematic == true)
  }

  @Test(arguments: [50, 51])
  func oneLostSampleIsReportedAndNotFilledIn(missing: Int) throws {
    var codes = [Int64](repeating: 1000, count: 101)
    var times = (0..<101).map { Int64($0) * Self.ms }
    codes.remove(at: missing)
    times.remove(at: missing)
    let figure = try Self.figure(
      Self.power(), 0...100 * Self.ms, [SampleBlock(channel: 0, times: times, codes: codes)],
      possible: 0...3)
    #expect(abs(figure.measured - 0.098) < 1e-12)
    #expect(figure.coverage == 0.98)
    #expect(figure.losses.samples == 1)
    #expect(figure.losses.spans.map(\.kind) == [.gap])
    #expect(abs(figure.energy - 0.1) < 1e-12)
    // 2 ms between 0 and 3 W.
    #expect(abs((figure.possibleLost?.upperBound ?? 0) - 6e-3) < 1e-15)
    #expect(abs((figure.lossBound ?? 0) - 4e-3) < 1e-12)
  }

  @Test func lossesAreFoundWithoutAKnownRateToo() throws {
    let times = ((0..<50).map(Int64.init) + (60..<100).map(Int64.init)).map { $0 * Self.ms }
    let blocks = times.map { SampleBlock(channel: 0, times: [$0], codes: [1000]) }
    let figure = try Self.figure(Self.power(), 0...99 * Self.ms, blocks, spacing: .learned)
    #expect(figure.losses.samples == 10)
    #expect(figure.losses.duration == 11 * Self.ms)
    let free = try Self.figure(Self.power(), 0...99 * Self.ms, blocks, spacing: .irregular)
    #expect(free.coverage == 1 && free.longestStep == 11 * Self.ms)
    let told = try Self.figure(
      Self.power(), 0...99 * Self.ms, blocks,
      events: [CaptureEvent(.gap, from: 49 * Self.ms, to: 60 * Self.ms, count: 10)],
      spacing: .irregular)
    #expect(told.losses.duration == 11 * Self.ms)
  }

  @Test func theEndOfTheRangeIsNoMeasurement() throws {
    var codes = [Int64](repeating: 1000, count: 101)
    for index in 40..<44 { codes[index] = 2000 }
    let source = try Self.power(range: 0...2000)
    let figure = try Self.figure(source, 0...100 * Self.ms, [Self.block(codes)])
    #expect(figure.losses.time == [.saturation: 5 * Self.ms])
    #expect(abs(figure.measured - 0.095) < 1e-12)
    // Above its range anything may have been.
    #expect(figure.possibleLost == nil && figure.lossBound == nil)
    let limited = try Self.figure(
      source, 0...100 * Self.ms, [Self.block(codes)], possible: 0...10)
    #expect(abs((limited.possibleLost?.upperBound ?? 0) - 0.05) < 1e-12)
    // Nothing at all is no saturation.
    let idle = try Self.figure(
      source, 0...10 * Self.ms, [Self.block([Int64](repeating: 0, count: 11))])
    #expect(idle.coverage == 1)
  }

  @Test func aChangeOfRangeLosesItsTime() throws {
    let codes = [Int64](repeating: 1000, count: 101)
    let event = CaptureEvent(.rangeSwitch, from: 30_200_000, to: 31_700_000)
    let figure = try Self.figure(
      Self.power(range: 0...5000), 0...100 * Self.ms, [Self.block(codes)], events: [event])
    #expect(figure.losses.time == [.rangeSwitch: 2 * Self.ms])
    #expect(figure.events == [.rangeSwitch: 1])
    // Told too late, it cannot be taken out: the figure says how much is doubtful.
    var integrator = EnergyIntegrator(
      try Self.power(), spacing: .every(1e6), intervals: [0...100 * Self.ms])
    try integrator.take([Self.block(codes)])
    integrator.take(event)
    integrator.finish()
    #expect(integrator.figure(of: 0).doubtful == 1_500_000)
    #expect(integrator.figure(of: 0).coverage == 1)
  }

  @Test func whatIsBeforeTheFirstSampleAndAfterTheLastIsLost() throws {
    let figure = try Self.figure(
      Self.power(), 0...100 * Self.ms,
      [Self.block([Int64](repeating: 1000, count: 51), from: 20)], possible: 0...2)
    #expect(figure.losses.time == [.edge: 50 * Self.ms])
    #expect(figure.losses.spans.map(\.to) == [20 * Self.ms, 100 * Self.ms])
    #expect(abs(figure.energy - 0.1) < 1e-12)
    let nothing = try Self.figure(Self.power(), 0...100 * Self.ms, [], possible: 0...2)
    #expect(nothing.coverage == 0 && nothing.measured == 0 && nothing.mean == nil)
    #expect(abs((nothing.possibleLost?.upperBound ?? 0) - 0.2) < 1e-12)
  }

  @Test func samplesOutOfOrderAreLeftOutAndCounted() throws {
    var integrator = EnergyIntegrator(
      try Self.power(), spacing: .every(1e6), intervals: [0...4 * Self.ms])
    try integrator.take([
      SampleBlock(
        channel: 0, times: [0, 1, 1, 2, 1, 3].map { $0 * Self.ms },
        codes: [1000, 1000, 9, 1000, 9, 1000])
    ])
    try integrator.take([
      SampleBlock(channel: 0, times: [2, 4].map { $0 * Self.ms }, codes: [9, 1000])
    ])
    integrator.finish()
    #expect(abs(integrator.figure(of: 0).measured - 4e-3) < 1e-15)
    #expect(integrator.outOfOrder == 3)
  }

  @Test func intervalsOpenAndEndWhileSamplesCome() throws {
    var integrator = EnergyIntegrator(try Self.power(), spacing: .every(1e6))
    try integrator.take([Self.block([Int64](repeating: 1000, count: 11))])
    let phase = try integrator.begin(at: 10_500_000)
    try integrator.take([Self.block([Int64](repeating: 2000, count: 10), from: 11)])
    try integrator.end(phase, at: 25 * Self.ms)
    try integrator.take([Self.block([Int64](repeating: 2000, count: 10), from: 21)])
    integrator.finish()
    let figure = integrator.figure(of: phase)
    #expect(figure.duration == 14_500_000 && figure.coverage == 1)
    // 1.5 W at its beginning, 2 W half a millisecond later.
    #expect(abs(figure.measured - (0.5e-3 * 1.75 + 14e-3 * 2)) < 1e-12)
    #expect(throws: FigureFailure.self) { try integrator.begin(at: 5 * Self.ms) }
    #expect(throws: FigureFailure.self) { try integrator.end(phase, at: 5 * Self.ms) }
  }

  @Test func averagesCountInTheMiddleOfTheirTime() throws {
    // The mean over 1 ms before each stamp of a power that rises by 1 W/s.
    let codes = (0...100).map { Int64($0) * 1000 - 500 }
    let source = try PowerSource(
      .power(0), of: [Channel(name: "p", unit: "uW", kind: .power, averagingTime: 1e-3)],
      meter: Self.meter)
    let figure = try Self.figure(source, 10 * Self.ms...90 * Self.ms, [Self.block(codes)])
    #expect(abs(figure.measured - (0.09 * 0.09 - 0.01 * 0.01) / 2) < 1e-15)
  }

  @Test func theClocksRateIsInTheEnergy() throws {
    var integrator = EnergyIntegrator(
      try Self.power(), spacing: .every(1e6), intervals: [0...100 * Self.ms])
    try integrator.take([Self.block([Int64](repeating: 1000, count: 101))])
    integrator.finish()
    // RocketLogger#13: 0.35 % too slow.
    let clock = ClockFit(
      origin: 0, offset: 0, skew: 0.0035, uncertainty: 1000, residual: 0, count: 9)
    let figure = integrator.figure(of: 0, under: FigureConditions(clock: clock, timeBase: 0))
    #expect(abs(figure.measured - 0.10035) < 1e-12)
  }

  @Test func stepsAtTheEndsCostWhatTheClocksAreOff() throws {
    let codes = (0...100).map { Int64($0 >= 50 ? 2000 : 1000) }
    var integrator = EnergyIntegrator(
      try Self.power(), spacing: .every(1e6), edgeWindow: 3 * Self.ms,
      intervals: [48 * Self.ms...90 * Self.ms])
    try integrator.take([Self.block(codes)])
    integrator.finish()
    let figure = integrator.figure(
      of: 0, under: FigureConditions(alignment: 2e6, timeBase: 0))
    // 1 W for 2 ms.
    let part = figure.budget.components.first { $0.name == "alignment" }
    #expect(abs((part?.value ?? 0) - 2e-3) < 1e-12)
  }

  @Test func aSteadyCodeErrsByItsRoundingAllTheTime() throws {
    let figure = try Self.figure(
      Self.power(), 0...100 * Self.ms, [Self.block([Int64](repeating: 1000, count: 101))])
    let part = figure.budget.components.first { $0.name == "resolution of p" }
    // 1 mW by √12 for 0.1 s.
    #expect(abs((part?.value ?? 0) / (1e-3 / 12.0.squareRoot() * 0.1) - 1) < 0.02)
  }

  @Test func limitsOfGainAndOffsetAreRectangularAndOthersHaveTheirFactor() throws {
    for (factor, divisor) in [(nil, 3.0.squareRoot()), (2, 2)] as [(Double?, Double)] {
      let source = try Self.power(
        accuracy: Accuracy(gain: 0.01, offset: 2, coverageFactor: factor))
      let figure = try Self.figure(
        source, 0...1000 * Self.ms, [Self.block([Int64](repeating: 1000, count: 1001))])
      let parts = Dictionary(
        uniqueKeysWithValues: figure.budget.components.map { ($0.name, $0.value) })
      #expect(abs((parts["gain of p"] ?? 0) - 0.01 / divisor) < 1e-12)
      #expect(abs((parts["offset of p"] ?? 0) - 0.002 / divisor) < 1e-12)
    }
  }

  @Test func blocksThatContradictThemselvesAreRefused() throws {
    var integrator = EnergyIntegrator(try Self.power(), intervals: [0...1])
    let bad: [SampleTimes] = [
      .each([1]), .regular(first: 0, step: .nan, count: 2), .regular(first: 0, step: 0, count: 2),
      .regular(first: .max, step: 1, count: 2), .regular(first: 0, step: 1e300, count: 2),
      .regular(first: 0, step: 1, count: 3)
    ]
    for times in bad {
      #expect(throws: FigureFailure.self) {
        try integrator.take([SampleBlock(channel: 0, times: times, codes: [1, 2])])
      }
    }
    #expect(throws: FigureFailure.self) {
      try integrator.take([SampleBlock(channel: 0, times: [.min, .max], codes: [1, 2])])
    }
    // Extremes that do not contradict themselves.
    try integrator.take([
      SampleBlock(
        channel: 0, times: [-4_500_000_000_000_000_000, -1, 0, 4_500_000_000_000_000_000],
        codes: [.min, .max, 0, 1])
    ])
    integrator.finish()
    #expect(integrator.figure(of: 0).duration == 1)
  }

  @Test func sourcesNeedUnitsAndScales() throws {
    let channels = [
      Channel(name: "t", unit: "degC"), Channel(name: "i", unit: "A", scale: 0),
      Channel(name: "p", unit: "furlong")
    ]
    for index in -1...3 {
      #expect(throws: FigureFailure.self) {
        try PowerSource(.power(index), of: channels, meter: Self.meter)
      }
    }
    let failure = #expect(throws: FigureFailure.self) {
      try PowerSource(
        .assumed(.init(5, uncertainty: 0), current: 1), of: channels, meter: Self.meter)
    }
    #expect(failure?.description.contains("shunt") == true)
  }

  @Test func theBestSourceOfASiteIsVoltageTimesCurrent() throws {
    let channels = [
      Channel(name: "ap", unit: "W", site: "a", kind: .power),
      Channel(name: "av", unit: "V", site: "a", kind: .voltage),
      Channel(name: "ai", unit: "A", site: "a", kind: .current),
      Channel(name: "bp", unit: "W", site: "b", kind: .power),
      Channel(name: "bv", unit: "V", site: "b", kind: .voltage),
      Channel(name: "ci", unit: "A", site: "c", kind: .current)
    ]
    func statement(_ site: String) throws -> String? {
      try PowerSource.best(
        of: channels, site: site, assuming: .init(5, uncertainty: 0.1), meter: Self.meter)?
        .statement
    }
    #expect(try statement("a") == "av × ai")
    #expect(try statement("b") == "bp")
    #expect(try statement("c") == "5.0 V (assumed) × ci")
    #expect(try statement("d") == nil)
  }
}
