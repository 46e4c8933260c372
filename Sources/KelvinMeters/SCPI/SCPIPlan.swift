internal import KelvinModel

/// What is asked in a round, and what becomes of the answers.
struct SCPIPlan: Sendable {
  /// One question.
  struct Question: Sendable, Hashable {
    var text: String
    /// Sent before it, in the same packet.
    var before: [String]
    /// For each field of its answer the meter's channel; nil: not wanted.
    var fields: [Int?]
  }

  var questions: [Question] = []
  var channels: [Channel] = []
  /// Sent once before the first round: what a multimeter is to measure.
  var prepare: [String] = []

  /// Steps in which values are kept: a tenth of the finest that such instruments tell apart.
  static let scales: [MeterChannel.Kind: Double] = [
    .voltage: 1e-7, .current: 1e-10, .power: 1e-9
  ]

  /// - Parameter meter: for messages.
  /// - Throws: `notFound` and `unsupported` for what the instrument does not have.
  init(_ options: SCPIOptions, _ profile: SCPIProfile, of meter: String) throws(MeterFailure) {
    if let beyond = options.channels.first(where: { $0 > profile.channels }) {
      throw MeterFailure(
        .notFound, "\(meter): it has no channel \(beyond)",
        hint: "\(profile.title) has up to \(profile.channels)")
    }
    let kinds = options.kinds ?? profile.usual
    guard !kinds.isEmpty, let readings = profile.readings(of: kinds) else {
      throw MeterFailure(
        .unsupported, "\(meter): with profile '\(profile.name)' that cannot be read",
        hint: "it has " + profile.kinds.map(\.rawValue).joined(separator: ", "))
    }
    let prepared = readings.filter { !$0.prepare.isEmpty }
    guard prepared.isEmpty || readings.count == 1 else {
      throw MeterFailure(
        .unsupported, "\(meter): \(profile.title) measures one thing at a time",
        hint: "'read: [current]' or 'read: [voltage]'")
    }
    prepare = prepared.flatMap(\.prepare)
    for number in options.channels {
      let isOnly = options.channels.count == 1
      let site = isOnly ? "" : "ch\(number)"
      var places: [MeterChannel.Kind: Int] = [:]
      for kind in profile.kinds where kinds.contains(kind) {
        places[kind] = channels.count
        channels.append(
          Channel(
            name: isOnly ? kind.rawValue : "\(site).\(kind.rawValue)",
            unit: kind.dimension?.baseUnit ?? "", scale: Self.scales[kind] ?? 1e-9, site: site,
            kind: kind, accuracy: options.accuracy[kind]))
      }
      var before = profile.select.map { [SCPICommand.text($0, channel: number)] } ?? []
      for reading in readings {
        questions.append(
          Question(
            text: SCPICommand.text(reading.query, channel: number), before: before,
            fields: reading.kinds.map { places[$0] }))
        // Once a round and channel, for whoever turns to another one at its keys.
        before = []
      }
    }
  }
}
