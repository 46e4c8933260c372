public import KelvinModel
internal import Synchronization

/// Sums up what a meter measures between two moments, site by site: the sink of a measurement.
///
/// A site's own energy counter is preferred to its power (what it counts between two readings is not lost);
/// of several ways to its power ``PowerSource/best(of:site:assuming:meter:)`` takes one. What a
/// counter gives is kept until the end, since counters are slow; everything else is summed as it comes.
/// ``begin(at:)`` and ``end(at:)`` are called by whoever measures, blocks come on the meter's thread.
public final class MeterFigures: BlockSink {
  /// The figure of a site.
  public struct SiteFigure: Sendable {
    public var site: String
    public var figure: EnergyFigure
    /// Whether the meter says how far its values may be off: without that, the figure's uncertainty is
    /// that of the scatter alone.
    public var isAccuracyKnown: Bool
  }

  private let identity: MeterIdentity
  private let channels: [Channel]
  private struct Power {
    var site: String
    var integrator: EnergyIntegrator
  }
  private struct State {
    var powers: [Power]
    /// Sites with counters, and the counters' channels.
    var counters: [(site: String, channel: Int)]
    var counted: [SampleBlock] = []
    var events: [CaptureEvent] = []
    var from: Int64?
    var to: Int64?
    var reached: [Int64]
    var failure: FigureFailure?
  }
  private let state: Mutex<State>

  /// - Parameter rate: of samples of a channel, in hertz; nil: learned from them.
  /// - Throws: `configuration` when no energy comes of the meter's channels.
  public init(
    _ identity: MeterIdentity, _ channels: [Channel], rate: Double?,
    assuming voltage: PowerSource.AssumedVoltage? = nil
  ) throws {
    self.identity = identity
    self.channels = channels
    // Steps of power matter as far around the ends as the alignment may be off: three times that.
    let averaging = (channels.compactMap(\.averagingTime).max() ?? 0) * 1e9
    let edgeWindow = Int64(3 * averaging / 3.0.squareRoot())
    var powers: [Power] = []
    var counters: [(String, Int)] = []
    var seen: Set<String> = []
    for channel in channels where seen.insert(channel.site).inserted {
      let site = channel.site
      if let counter = channels.firstIndex(where: {
        $0.site == site && $0.kind == .energy && $0.wrap != nil
      }) {
        counters.append((site, counter))
      } else if let source = try PowerSource.best(
        of: channels, site: site, assuming: voltage, meter: identity)
      {
        powers.append(
          Power(
            site: site,
            integrator: EnergyIntegrator(
              source, spacing: rate.map { .every(1e9 / $0) } ?? .learned, edgeWindow: edgeWindow)))
      }
    }
    guard !powers.isEmpty || !counters.isEmpty else {
      throw MeterFailure(
        .unsupported,
        "\(identity.name): no energy comes of its channels "
          + channels.map(\.name).joined(separator: ", "),
        hint: "it takes power, an energy counter, or voltage and current of one site")
    }
    state = Mutex(State(powers: powers, counters: counters, reached: channels.map { _ in .min }))
  }

  public func take(_ blocks: [SampleBlock]) {
    state.withLock { state in
      for block in blocks {
        if let last = block.times.last { state.reached[block.channel] = last }
      }
      state.counted += blocks.filter { block in
        state.counters.contains { $0.channel == block.channel }
      }
      for index in state.powers.indices {
        do throws(FigureFailure) {
          try state.powers[index].integrator.take(blocks)
        } catch {
          if state.failure == nil { state.failure = error }
        }
      }
    }
  }

  public func take(_ event: CaptureEvent) {
    state.withLock { state in
      // For the counters, which are summed at the end.
      if !state.counters.isEmpty { state.events.append(event) }
      for index in state.powers.indices { state.powers[index].integrator.take(event) }
    }
  }

  /// The standard uncertainty of when values were measured, in nanoseconds: a meter that is polled gives its
  /// last conversion, begun up to two averaging times ago or held since the last one, and does not say which.
  /// A limit of one averaging time around ``lag``, rectangular.
  public var alignment: Double { 2 * Double(lag) / 3.0.squareRoot() }

  /// By how much a value is later than the middle of the time over which it is a mean, in nanoseconds: so
  /// long after an end must be waited for what was measured until then.
  public var lag: Int64 {
    Int64((channels.compactMap(\.averagingTime).max() ?? 0) * 1e9 / 2)
  }

  /// The time of the channel that is furthest behind, on the meter's clock; nil before all have begun.
  public var reached: Int64? {
    state.withLock { state in state.reached.min().flatMap { $0 == .min ? nil : $0 } }
  }

  /// Opens the interval, at a time of the meter's clock that is not before what was taken.
  public func begin(at time: Int64) throws {
    try state.withLock { state in
      state.from = time
      for index in state.powers.indices { _ = try state.powers[index].integrator.begin(at: time) }
    }
  }

  /// Closes it.
  public func end(at time: Int64) throws {
    try state.withLock { state in
      state.to = time
      for index in state.powers.indices { try state.powers[index].integrator.end(0, at: time) }
    }
  }

  /// The figures, after the meter was stopped; in the order of the meter's channels.
  public func finish(under conditions: FigureConditions) throws -> [SiteFigure] {
    try state.withLock { state in
      if let failure = state.failure { throw failure }
      guard let from = state.from, let to = state.to, to >= from else { return [] }
      var figures: [SiteFigure] = []
      for index in state.powers.indices {
        state.powers[index].integrator.finish()
        let source = state.powers[index].integrator.source
        figures.append(
          SiteFigure(
            site: state.powers[index].site,
            figure: state.powers[index].integrator.figure(of: 0, under: conditions),
            isAccuracyKnown: source.main.channel.accuracy != nil))
      }
      for (site, channel) in state.counters {
        var counter = try CounterEnergy(
          channel, of: channels, meter: identity, intervals: [from...to])
        for event in state.events { counter.take(event) }
        counter.take(state.counted)
        counter.finish()
        figures.append(
          SiteFigure(
            site: site, figure: counter.figure(of: 0, under: conditions),
            isAccuracyKnown: channels[channel].accuracy != nil))
      }
      let order = channels.map(\.site)
      return figures.sorted {
        (order.firstIndex(of: $0.site) ?? 0) < (order.firstIndex(of: $1.site) ?? 0)
      }
    }
  }
}
