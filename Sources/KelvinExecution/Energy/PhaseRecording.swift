public import KelvinMeters
public import KelvinModel
internal import Synchronization

/// Keeps what a meter gives while it goes on to its figures, so that phases can be summed up which its own
/// digital inputs mark: where they begin is known when their samples have long been summed.
///
/// Blocks come on the meter's thread; ``phases(from:to:under:)`` is for after the meter was stopped.
public final class PhaseRecording: BlockSink {
  /// All stretches of one phase.
  public struct Phase: Sendable {
    public var name: String
    /// In seconds.
    public var duration: Double
    /// The energy of each site.
    public var sites: [(site: String, energy: Estimate)]
  }
  private let next: any BlockSink
  private let meter: MeterIdentity
  private let channels: [Channel]
  private let rate: Double?
  private let voltage: PowerSource.AssumedVoltage?
  private let inputs: PhaseChannels
  private struct State {
    var blocks: [SampleBlock] = []
    var events: [CaptureEvent] = []
    var samples = 0
  }
  private let state = Mutex(State())

  /// Samples that are kept at most: half a gigabyte.
  private static let room = 1 << 26

  /// - Parameters:
  ///   - phases: `CHANNEL=NAME` each: the phase while that input is high.
  ///   - next: gets everything, too.
  /// - Throws: `configuration` for inputs that the meter does not have.
  public init(
    _ phases: [String], of meter: any Meter, assuming voltage: PowerSource.AssumedVoltage? = nil,
    into next: any BlockSink
  ) throws(PlainFailure) {
    self.next = next
    self.meter = meter.identity
    self.voltage = voltage
    (channels, rate) = (meter.channels, meter.rate)
    let inputs = try Self.inputs(phases)
    self.inputs = try PhaseChannels(inputs, on: [(meter.identity, meter.channels)])
  }

  /// Reads `CHANNEL=NAME`.
  ///
  /// - Throws: `configuration` for texts that are none.
  static func inputs(_ phases: [String]) throws(PlainFailure) -> [PhaseInput] {
    var edges: [String: Value] = [:]
    for text in phases {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, edges[parts[0]] == nil else {
        throw PlainFailure(
          .configuration, "phase '\(text)': expected CHANNEL=NAME, each channel once",
          hint: "'D0=inference' is the phase while D0 is high")
      }
      edges[parts[0]] = .text(parts[1])
    }
    return try PhaseOptions(["digital": .map(edges)]).inputs
  }

  /// Says what is wrong with texts for ``init(_:of:assuming:into:)``, before there is a meter.
  ///
  /// - Throws: `configuration`.
  public static func check(_ phases: [String]) throws(PlainFailure) { _ = try inputs(phases) }

  public func take(_ blocks: [SampleBlock]) {
    let count = blocks.reduce(0) { $0 + $1.codes.count }
    state.withLock { state in
      state.samples += count
      if state.samples <= Self.room { state.blocks += blocks }
    }
    next.take(blocks)
  }

  public func take(_ event: CaptureEvent) {
    state.withLock { $0.events.append(event) }
    next.take(event)
  }

  /// The phases between two times of the host's clock, in the order of their names' first stretches.
  ///
  /// - Throws: when there was more than can be kept; what keeps figures from being computed.
  public func phases(
    from: Int64, to: Int64, under conditions: FigureConditions
  ) throws -> [Phase] {
    let taken = state.withLock { $0 }
    guard taken.samples <= Self.room else {
      throw PlainFailure(
        .infrastructure,
        "phases: more than \(Self.room) samples came, which cannot all be kept in memory",
        hint: "measure for a shorter time, or with the 'energy' instrument of a run")
    }
    let clock = conditions.clock
    let window = EnergyInterval(from: from, to: to, ends: conditions.ends)
    var marked: [WorkloadPhase] = []
    for found in inputs.found {
      var edges = LevelEdges()
      for block in taken.blocks where block.channel == found.channel { edges.take(block) }
      marked += edges.marks(of: found.input, clock).phases(in: window)
    }
    guard !marked.isEmpty else { return [] }
    let figures = try MeterFigures(
      meter, channels, rate: rate, assuming: voltage,
      intervals: marked.map { clock.meter($0.interval.from)...clock.meter($0.interval.to) },
      ends: marked.map(\.interval.ends).max() ?? 0)
    for event in taken.events { figures.take(event) }
    figures.take(taken.blocks)
    let found = try figures.finish { index in
      var own = conditions
      own.ends = marked[index].interval.ends
      // Both ends were seen on the meter's own clock.
      if marked[index].interval.from > from, marked[index].interval.to < to {
        own.clock.uncertainty = 0
      }
      return own
    }
    return Self.together(marked, found)
  }

  private static func together(
    _ marked: [WorkloadPhase], _ found: [[MeterFigures.SiteFigure]]
  ) -> [Phase] {
    var phases: [Phase] = []
    var terms: [String: [String: [(factor: Double, estimate: Estimate)]]] = [:]
    var sites: [String] = []
    for (phase, figures) in zip(marked, found) {
      if let index = phases.firstIndex(where: { $0.name == phase.name }) {
        phases[index].duration += phase.interval.duration
      } else {
        phases.append(Phase(name: phase.name, duration: phase.interval.duration, sites: []))
      }
      for site in figures {
        if !sites.contains(site.site) { sites.append(site.site) }
        terms[phase.name, default: [:]][site.site, default: []].append((1, site.figure.estimate))
      }
    }
    for index in phases.indices {
      let name = phases[index].name
      phases[index].sites = sites.compactMap { site in
        terms[name]?[site].map { (site, .sum($0, statement: name)) }
      }
    }
    return phases
  }
}
