internal import KelvinMeters
internal import KelvinModel
internal import KelvinStore

/// The digital channels that mark phases, among those of an attempt's meters.
struct PhaseChannels: Sendable {
  struct Found: Sendable {
    let input: PhaseInput
    /// Places of the meter and of its channel.
    let meter: Int
    let channel: Int
  }
  let found: [Found]

  /// Looks for the channels of inputs.
  ///
  /// - Throws: `configuration` for one that is not there, is no digital one, or is on two meters.
  init(
    _ inputs: [PhaseInput], on meters: [(identity: MeterIdentity, channels: [Channel])]
  ) throws(PlainFailure) {
    var found: [Found] = []
    for input in inputs {
      var meant: [(meter: Int, channel: Int)] = []
      for (place, meter) in meters.enumerated() {
        meant += meter.channels.indices.filter { index in
          let name = meter.channels[index].name
          return name == input.channel || "\(meter.identity.name)/\(name)" == input.channel
        }.map { (place, $0) }
      }
      let digital = meant.filter { meters[$0.meter].channels[$0.channel].kind == .logic }
      guard let only = digital.first, digital.count == 1 else {
        throw Self.refusal(input.channel, meant, digital, meters)
      }
      found.append(Found(input: input, meter: only.meter, channel: only.channel))
    }
    self.found = found
  }

  private static func refusal(
    _ name: String, _ meant: [(meter: Int, channel: Int)],
    _ digital: [(meter: Int, channel: Int)],
    _ meters: [(identity: MeterIdentity, channels: [Channel])]
  ) -> PlainFailure {
    let known = meters.flatMap { meter in
      meter.channels.filter { $0.kind == .logic }.map { "\(meter.identity.name)/\($0.name)" }
    }
    let reason =
      digital.count > 1
      ? "'\(name)' is an input of \(digital.map { meters[$0.meter].identity.name }.joined(separator: " and of "))"
      : meant.isEmpty ? "no meter has an input '\(name)'" : "'\(name)' is no digital input"
    return PlainFailure(
      .configuration, "phases: digital: \(reason)",
      hint: known.isEmpty
        ? "none of the meters has digital inputs" : "there are \(known.joined(separator: ", "))")
  }

  /// The phases that an input marks in a window of the host's clock, found in the meter's capture.
  ///
  /// - Returns: with how many edges beyond ``LevelEdges/most`` were left out.
  func phases(
    _ index: Int, of capture: CaptureRecord, in window: EnergyInterval, _ reader: RunReader
  ) throws -> (phases: [WorkloadPhase], leftOut: Int) {
    let (input, channel) = (found[index].input, found[index].channel)
    let clock = capture.clock ?? .host
    var edges = LevelEdges()
    try reader.forEachBlock(
      ofCapture: capture.id, channel: channel,
      in: clock.meter(window.from) - Self.margin...clock.meter(window.to) + Self.margin
    ) { edges.take($0) }
    let name = capture.meter?.name ?? capture.source
    return (
      edges.marks(of: input, clock).phases(in: window).map { phase in
        // An end of the window itself is of the host's clock.
        guard phase.interval.from > window.from, phase.interval.to < window.to else { return phase }
        var phase = phase
        phase.interval.meter = name
        return phase
      }, edges.leftOut
    )
  }

  /// What is read around a window, in nanoseconds: a level is told at least so often.
  private static let margin: Int64 = 30_000_000_000
}

extension [PhaseInput] {
  /// Phases that were marked one after the other, and those of inputs, each input's for itself.
  ///
  /// - Throws: `configuration` for an input that is not there; what keeps a capture from being read.
  func phases(
    besides marked: [WorkloadPhase], of parts: [EnergySession.Part], in window: EnergyInterval,
    _ job: JobContext, _ reader: RunReader
  ) throws -> [WorkloadPhase] {
    guard !isEmpty else { return marked }
    let source = EnergyMeasurement.declaration.name
    var phases = marked
    let taken = Set(flatMap(\.names))
    for name in Set(phases.map(\.name)).intersection(taken).sorted() {
      // It would count twice, and the input knows better.
      phases.removeAll { $0.name == name }
      job.record(
        .warning, source: source,
        "'\(name)' was marked by a digital input and in another way: the input counts")
    }
    let channels = try PhaseChannels(
      self, on: parts.map { ($0.meter.identity, $0.meter.channels) })
    let captures = try reader.captures(ofAttempt: job.attemptID)
    for (index, found) in channels.found.enumerated() {
      let id = parts[found.meter].recorder.capture
      guard let capture = captures.first(where: { $0.id == id }) else { continue }
      let (edges, leftOut) = try channels.phases(index, of: capture, in: window, reader)
      phases += edges
      if leftOut > 0 {
        job.record(
          .warning, source: source,
          "\(found.input.channel): \(leftOut) edges beyond \(LevelEdges.most) were left out")
      }
    }
    return phases
  }
}
