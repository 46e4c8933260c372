internal import KelvinModel

/// What marks the phases of a workload.
struct PhaseOptions: Sendable, Hashable {
  /// Lines on its standard output.
  var readsOutput = true
  /// Markers in the board's kernel.
  var readsTraceMarker = false
  /// Levels on digital inputs of meters.
  var inputs: [PhaseInput] = []

  static let declaration = OptionDeclaration(
    "phases",
    .structure(
      [
        OptionDeclaration(
          "output", .boolean, default: true,
          "Lines 'kelvin-phase: NAME' on the workload's standard output."),
        OptionDeclaration(
          "trace_marker", .boolean, default: false,
          "The same written to the board's /sys/kernel/tracing/trace_marker, or to the file that "
            + "KELVIN_TRACE_MARKER names; takes root on the board."),
        OptionDeclaration(
          "digital", .map(.structure(PhaseInput.declarations, shorthand: "rising")),
          "Digital inputs of meters: '{D0: inference}' is the phase while D0 is high; "
            + "'{ppk2-a/D1: {rising: send, falling: sleep}}'.")
      ], shorthand: "output"),
    "What marks phases: true or false for lines on standard output, or a map.")

  /// Reads validated settings.
  ///
  /// - Throws: `configuration` for inputs that contradict each other.
  init(_ value: Value?) throws(PlainFailure) {
    if let isOn = value?.boolean { readsOutput = isOn }
    guard let fields = value?.map else { return }
    readsOutput = fields["output"]?.boolean ?? true
    readsTraceMarker = fields["trace_marker"]?.boolean ?? false
    var owners: [String: String] = [:]
    for (channel, edges) in (fields["digital"]?.map ?? [:]).sorted(by: { $0.key < $1.key }) {
      let input = try PhaseInput(channel, edges)
      for name in input.names {
        if let other = owners[name], other != channel {
          throw PlainFailure(
            .configuration, "phases: digital: '\(name)' is the phase of \(other) and of \(channel)",
            hint: "phases of two inputs may overlap, so that each needs names of its own")
        }
        owners[name] = channel
      }
      inputs.append(input)
    }
  }
}

/// A digital input of a meter whose level says which phase goes on.
struct PhaseInput: Sendable, Hashable {
  /// As its meter calls it, or METER/CHANNEL.
  var channel: String
  /// The phases that a rising edge and a falling one begin; nil: the edge only ends the other's.
  var rising: String?
  var falling: String?

  static let declarations = [
    OptionDeclaration("rising", .text, "The phase that begins when it goes high."),
    OptionDeclaration("falling", .text, "The phase that begins when it goes low.")
  ]

  /// Reads what stands behind a channel's name.
  ///
  /// - Throws: `configuration` when no edge begins a phase.
  init(_ channel: String, _ edges: Value) throws(PlainFailure) {
    self.channel = channel
    let fields = edges.map ?? edges.text.map { ["rising": .text($0)] } ?? [:]
    rising = fields["rising"]?.text.flatMap { PhaseMark.name(of: $0) }
    falling = fields["falling"]?.text.flatMap { PhaseMark.name(of: $0) }
    guard rising != nil || falling != nil else {
      throw PlainFailure(
        .configuration, "phases: digital: \(channel): no edge begins a phase",
        hint: "write '{\(channel): NAME}' for a phase while it is high")
    }
  }

  var names: [String] { [rising, falling].compactMap { $0 } }

  /// The phase that goes on at a level.
  func name(at isHigh: Bool) -> String? { isHigh ? rising : falling }
}
