/// Integrates the power of one source over intervals, from blocks as they come, in constant memory.
///
/// Power is computed for each sample first, then summed by trapezoids over the samples' own times; the
/// ends of an interval are interpolated between the samples around. Time in which nothing was measured
/// is in no sum: it is reported as lost. What a meter averages over ``Channel/averagingTime`` counts as
/// measured in the middle of that time. Used by one caller at a time.
public struct EnergyIntegrator: Sendable {
  public let source: PowerSource
  public let spacing: Spacing
  /// What power there can have been, in watts: for the bound of lost time. Nil when nobody knows.
  public let possiblePower: ClosedRange<Double>?
  /// Whether that is more than what the channels' ranges say: it then limits also what a meter at the end
  /// of its range did not see.
  let knowsPossiblePower: Bool
  /// Samples that came twice or went back in time, and were left out.
  public internal(set) var outOfOrder: Int64 = 0
  /// Samples of a current without a voltage near them in time, or the other way round.
  public var unpaired: Int64 { pairing.unpaired }

  var intervals: [IntervalSums] = []
  var run = PowerRun()
  var pairing = VoltagePairing()
  /// In nanoseconds; nil until it is known, or when it never is.
  var period: Double?
  /// Until ``period`` is learned, samples are held back.
  var isLearning: Bool
  /// Spans of events whose samples are to come.
  var spans: [(kind: LostTime.Kind, from: Int64, to: Int64)] = []
  /// By how much samples are earlier than their time stamps, in nanoseconds.
  let lag: Int64
  let edgeWindow: Int64
  let limits: CodeLimits
  private static let farthest: Int64 = 4_600_000_000_000_000_000

  /// How samples follow each other, by which it is seen that one is missing.
  public enum Spacing: Sendable, Hashable {
    /// One in so many nanoseconds: a distance of 1.5 or more is a gap.
    case every(Double)
    /// As the first 17 samples do, by the median of their distances.
    case learned
    /// As they please: only events tell of gaps.
    case irregular
  }

  /// Begins before the first sample.
  ///
  /// - Parameters:
  ///   - possiblePower: in watts, when more is known than the channels' ranges say, such as the limit of a
  ///     supply.
  ///   - edgeWindow: in nanoseconds; how far around an interval's ends steps of power matter because the
  ///     clocks may be off: three times their standard uncertainty.
  public init(
    _ source: PowerSource, spacing: Spacing = .learned,
    possiblePower: ClosedRange<Double>? = nil, edgeWindow: Int64 = 0,
    intervals: [ClosedRange<Int64>] = []
  ) {
    self.source = source
    self.spacing = spacing
    self.possiblePower = possiblePower ?? source.rangeOfPower
    knowsPossiblePower = possiblePower != nil
    self.edgeWindow = max(0, edgeWindow)
    if case .every(let period) = spacing, period > 0, period.isFinite { self.period = period }
    isLearning = spacing == .learned
    let averaging = (source.main.channel.averagingTime ?? 0) * 1e9 / 2
    lag = averaging > 0 && averaging < 1e15 ? Int64(averaging) : 0
    limits = CodeLimits(source)
    // Within about ±146 years, so that no difference of times overflows.
    self.intervals = intervals.map {
      IntervalSums(
        from: max($0.lowerBound, -Self.farthest), to: min($0.upperBound, Self.farthest))
    }
  }

  /// The time of the last sample that was integrated, on the meter's clock; nil before the first.
  public var reached: Int64? { run.times.last }

  /// Opens an interval whose end is not known yet, and gives its index.
  ///
  /// - Throws: `internal` when samples after its beginning were integrated already.
  public mutating func begin(at from: Int64) throws(FigureFailure) -> Int {
    try checkNotReached(from)
    intervals.append(IntervalSums(from: from, to: .max))
    return intervals.count - 1
  }

  /// Says when an interval ends.
  ///
  /// - Throws: `internal` when samples after its end were integrated already.
  public mutating func end(_ interval: Int, at to: Int64) throws(FigureFailure) {
    try checkNotReached(to)
    intervals[interval].to = max(to, intervals[interval].from)
  }

  /// Takes blocks; those of other channels are left alone. Blocks of voltage and current that were
  /// sampled together come in one call; when their times differ, the voltage is interpolated at
  /// the times of the current.
  ///
  /// - Throws: `internal` for blocks that contradict themselves; nothing of them is taken then.
  public mutating func take(_ blocks: [SampleBlock]) throws(FigureFailure) {
    for block in blocks { try check(block) }
    switch source.voltage {
    case nil, .assumed:
      for block in blocks where block.channel == source.main.index {
        append(block.times, block.codes, voltage: nil)
        integrate()
      }
    case .measured(let factor):
      let currents = blocks.filter { $0.channel == source.main.index }
      let voltages = blocks.filter { $0.channel == factor.index }
      let areTogether =
        pairing.isEmpty && currents.count == voltages.count
        && zip(currents, voltages).allSatisfy { $0.times == $1.times }
      if areTogether {
        for (current, voltage) in zip(currents, voltages) {
          append(current.times, current.codes, voltage: voltage.codes)
          integrate()
        }
      } else {
        pairing.add(currents: currents, voltages: voltages)
        takePairs(isLast: false)
      }
    }
  }

  /// Takes an event, before or with the samples that follow it. One that comes later cannot take its
  /// time out of the sums any more: that is reported as doubtful.
  public mutating func take(_ event: CaptureEvent) {
    if let channel = event.channel, !isOurs(channel) { return }
    let from = event.from &- lag
    let to = max(from, event.to &- lag)
    for index in intervals.indices where intervals[index].from <= to && intervals[index].to >= from
    {
      intervals[index].events[event.kind, default: 0] += 1
    }
    if event.kind == .suspend, let unseen = event.count {
      for index in intervals.indices
      where intervals[index].from <= to && intervals[index].to >= from {
        intervals[index].losses.add(unseen: unseen)
      }
    }
    guard let kind = LostTime.Kind(event.kind), to > from else { return }
    if let reached = run.times.last, !isLearning, from < reached {
      for index in intervals.indices {
        let overlap = min(to, intervals[index].to, reached) - max(from, intervals[index].from)
        if overlap > 0 { intervals[index].doubtful += overlap }
      }
    }
    spans.append((kind, from, to))
  }

  /// Ends the capture: what intervals still lack is lost.
  public mutating func finish() {
    takePairs(isLast: true)
    if isLearning {
      isLearning = false
      if run.count >= 3 { period = PowerRun.medianSpacing(run.times) }
      integrate()
    }
    for index in intervals.indices { intervals[index].finish(run) }
  }

  private func isOurs(_ channel: Int) -> Bool {
    if channel == source.main.index { return true }
    if case .measured(let factor) = source.voltage { return channel == factor.index }
    return false
  }

  private mutating func takePairs(isLast: Bool) {
    guard case .measured(let factor) = source.voltage else { return }
    let (times, currents, voltages) = pairing.take(voltage: factor, isLast: isLast)
    guard !times.isEmpty else { return }
    append(times, currents, voltages: voltages)
    integrate()
  }

  private func checkNotReached(_ time: Int64) throws(FigureFailure) {
    guard let reached, !isLearning, time < reached else { return }
    throw FigureFailure(
      .internal,
      "\(source.meter.name): an interval at \(time) ns, and samples up to \(reached) ns are summed")
  }

  private func check(_ block: SampleBlock) throws(FigureFailure) {
    guard isOurs(block.channel) else { return }
    var isSound = block.times.count == block.codes.count
    let far = Double(Self.farthest)
    switch block.times {
    case .regular(let first, let step, let count):
      isSound =
        isSound && step > 0 && step.isFinite && abs(Double(first)) < far / 2
        && Double(count) * step < far / 2
    case .each(let times):
      let span = times.span
      for index in span.indices {
        isSound = isSound && span[index] > -Self.farthest && span[index] < Self.farthest
      }
    }
    guard isSound else {
      throw FigureFailure(
        .internal,
        "\(source.meter.name): a block of channel \(block.channel) with \(block.codes.count) codes "
          + "and \(block.times.count) times contradicts itself")
    }
  }
}

extension LostTime.Kind {
  /// Nil for events that take no time away.
  init?(_ event: CaptureEvent.Kind) {
    switch event {
    case .gap, .overrun: self = .gap
    case .saturation: self = .saturation
    case .rangeSwitch: self = .rangeSwitch
    case .suspend: self = .suspend
    case .clockStep: self = .clockStep
    case .reset: self = .reset
    case .error: self = .error
    case .repeats, .wrap, .mark: return nil
    }
  }
}
