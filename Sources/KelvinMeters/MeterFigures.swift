public import KelvinModel
internal import Synchronization

/// Sums up what a meter measures in intervals of time, site by site: the sink of a measurement, and what
/// goes through a capture afterwards.
///
/// A site's own energy counter is preferred to its power (what it counts between two readings is not lost);
/// of several ways to its power ``PowerSource/best(of:site:assuming:meter:)`` takes one. Everything is
/// summed as it comes, but for counters whose intervals are not known beforehand: they are kept until the
/// end, since counters are slow. ``begin(at:)`` and ``end(_:at:)`` are called by whoever measures, blocks
/// come on the meter's thread.
public final class MeterFigures: BlockSink {
  /// The figure of a site.
  public struct SiteFigure: Sendable, Hashable, Codable {
    public var site: String
    public var figure: EnergyFigure
    /// Whether the meter says how far its values may be off: without that, the figure's uncertainty is
    /// that of the scatter alone.
    public var isAccuracyKnown: Bool

    /// Describes a figure of a site.
    public init(site: String, figure: EnergyFigure, isAccuracyKnown: Bool) {
      self.site = site
      self.figure = figure
      self.isAccuracyKnown = isAccuracyKnown
    }
  }

  private let identity: MeterIdentity
  private let channels: [Channel]
  private let timing: MeterTiming
  private struct Power {
    var site: String
    var integrator: EnergyIntegrator
  }
  private struct State {
    var powers: [Power] = []
    /// Sites with counters, and the counters' channels.
    var counters: [(site: String, channel: Int)] = []
    /// Where the intervals were known beforehand.
    var sums: [CounterEnergy] = []
    var counted: [SampleBlock] = []
    var events: [CaptureEvent] = []
    var intervals: [(from: Int64, to: Int64?)] = []
    var reached: [Int64]
    /// What is not summed yet, from ``next`` on: see ``hold``.
    var held: [Held] = []
    var next = 0
    var failure: FigureFailure?

    /// Sums up what has waited for long enough: up to a time of the meter's clock.
    mutating func release(until time: Int64) {
      while next < held.count {
        switch held[next] {
        case .blocks(let blocks, let last):
          guard last <= time else { return compact() }
          sum(blocks)
        case .event(let event): sum(event)
        }
        next += 1
      }
      compact()
    }

    private mutating func compact() {
      guard next == held.count || next > 64 else { return }
      held.removeFirst(next)
      next = 0
    }

    private mutating func sum(_ blocks: [SampleBlock]) {
      if sums.isEmpty {
        counted += blocks.filter { block in counters.contains { $0.channel == block.channel } }
      }
      for index in sums.indices { sums[index].take(blocks) }
      for index in powers.indices {
        do throws(FigureFailure) {
          try powers[index].integrator.take(blocks)
        } catch {
          if failure == nil { failure = error }
        }
      }
    }

    private mutating func sum(_ event: CaptureEvent) {
      // For the counters, which are summed at the end.
      if !counters.isEmpty, sums.isEmpty { events.append(event) }
      for index in sums.indices { sums[index].take(event) }
      for index in powers.indices { powers[index].integrator.take(event) }
    }
  }
  private let state: Mutex<State>

  /// - Parameters:
  ///   - rate: of samples of a channel, in hertz; nil: learned from them.
  ///   - intervals: on the meter's clock, where they are known beforehand.
  ///   - ends: the standard uncertainty of when they begin and end, in nanoseconds: power counts so far
  ///     around them.
  /// - Throws: `configuration` when no energy comes of the meter's channels.
  public init(
    _ identity: MeterIdentity, _ channels: [Channel], rate: Double?,
    assuming voltage: PowerSource.AssumedVoltage? = nil, intervals: [ClosedRange<Int64>] = [],
    ends: Double = 0
  ) throws {
    self.identity = identity
    self.channels = channels
    hold = intervals.isEmpty ? 500_000_000 : 0
    // Steps of power matter as far around the ends as the alignment may be off: three times that.
    timing = MeterTiming(channels)
    let edgeWindow = Int64(3 * max(timing.alignment, min(ends, 1e15)))
    var state = State(reached: channels.map { _ in .min })
    state.intervals = intervals.map { ($0.lowerBound, $0.upperBound) }
    for site in try MeterSite.all(of: channels, meter: identity, assuming: voltage) {
      switch site.source {
      case .counter(let channel):
        state.counters.append((site.name, channel))
        if !intervals.isEmpty {
          state.sums.append(
            try CounterEnergy(channel, of: channels, meter: identity, intervals: intervals))
        }
      case .power(let source):
        state.powers.append(
          Power(
            site: site.name,
            integrator: EnergyIntegrator(
              source, spacing: rate.map { .every(1e9 / $0) } ?? .learned, edgeWindow: edgeWindow,
              intervals: intervals)))
      }
    }
    self.state = Mutex(state)
  }

  /// What waits to be summed.
  private enum Held: Sendable {
    case blocks([SampleBlock], last: Int64)
    case event(CaptureEvent)
  }

  /// How long samples wait, in nanoseconds: who says when an interval begins or ends may be late with it, and
  /// the clock of a meter that counts its own samples a little ahead.
  private let hold: Int64

  public func take(_ blocks: [SampleBlock]) {
    state.withLock { state in
      for block in blocks {
        if let last = block.times.last { state.reached[block.channel] = last }
      }
      let newest = state.reached.max() ?? .min
      let last = blocks.compactMap { $0.times.last }.max() ?? .min
      state.held.append(.blocks(blocks, last: last))
      state.release(until: newest > .min + hold ? newest - hold : .min)
    }
  }

  public func take(_ event: CaptureEvent) {
    state.withLock { state in state.held.append(.event(event)) }
  }

  /// The standard uncertainty of when values were measured, in nanoseconds: see ``MeterTiming``.
  public var alignment: Double { timing.alignment }

  /// By how much a value is later than the middle of the time over which it is a mean, in nanoseconds: so
  /// long after an end must be waited for what was measured until then.
  public var lag: Int64 { timing.lag }

  /// The time of the channel that is furthest behind, on the meter's clock; nil before all have begun.
  public var reached: Int64? {
    state.withLock { state in state.reached.min().flatMap { $0 == .min ? nil : $0 } }
  }

  /// Opens an interval, at a time of the meter's clock that is not before what was summed; gives its number.
  @discardableResult
  public func begin(at time: Int64) throws -> Int {
    try state.withLock { state in
      state.intervals.append((time, nil))
      for index in state.powers.indices { _ = try state.powers[index].integrator.begin(at: time) }
      return state.intervals.count - 1
    }
  }

  /// Closes it.
  public func end(_ interval: Int = 0, at time: Int64) throws {
    try state.withLock { state in
      state.intervals[interval].to = time
      for index in state.powers.indices {
        try state.powers[index].integrator.end(interval, at: time)
      }
    }
  }

  /// The figures of each interval, after the last sample; sites in the order of the meter's channels. An
  /// interval that was not closed has none.
  public func finish(
    under conditions: (_ interval: Int) -> FigureConditions
  ) throws -> [[SiteFigure]] {
    try state.withLock { state in
      state.release(until: .max)
      if let failure = state.failure { throw failure }
      let closed = state.intervals.indices.filter { index in
        state.intervals[index].to.map { $0 >= state.intervals[index].from } ?? false
      }
      if state.sums.isEmpty {
        for (_, channel) in state.counters {
          var sum = try CounterEnergy(
            channel, of: channels, meter: identity,
            intervals: state.intervals.map { $0.from...max($0.from, $0.to ?? $0.from) })
          for event in state.events { sum.take(event) }
          sum.take(state.counted)
          state.sums.append(sum)
        }
      }
      for index in state.powers.indices { state.powers[index].integrator.finish() }
      for index in state.sums.indices { state.sums[index].finish() }
      let order = channels.map(\.site)
      return state.intervals.indices.map { interval in
        guard closed.contains(interval) else { return [] }
        let conditions = conditions(interval)
        var figures = state.powers.map { power in
          SiteFigure(
            site: power.site, figure: power.integrator.figure(of: interval, under: conditions),
            isAccuracyKnown: power.integrator.source.main.channel.accuracy != nil)
        }
        for (counter, sum) in zip(state.counters, state.sums) {
          figures.append(
            SiteFigure(
              site: counter.site, figure: sum.figure(of: interval, under: conditions),
              isAccuracyKnown: channels[counter.channel].accuracy != nil))
        }
        return figures.sorted {
          (order.firstIndex(of: $0.site) ?? 0) < (order.firstIndex(of: $1.site) ?? 0)
        }
      }
    }
  }
}
