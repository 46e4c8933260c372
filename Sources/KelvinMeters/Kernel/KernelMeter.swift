internal import KelvinConnections
internal import KelvinModel

/// What the drivers of kernel meters share.
enum KernelMeter {
  /// Makes a meter of a kernel's files, after its channels are chosen and their accuracy is said.
  static func open(
    name: String, driver: String, model: String, location: String, range: String = "",
    channels: [Channel], files: [TargetPath], rate: Double, properties: [MeterProperty],
    options: [String: Value], verified: String, through connection: any Connection
  ) throws(MeterFailure) -> FileMeter {
    var chosen = Array(zip(channels, files))
    if let names = options["channels"]?.list?.compactMap(\.text), !names.isEmpty {
      for wanted in names where !channels.contains(where: { $0.name == wanted }) {
        throw MeterFailure(
          .invalid, "\(name): it has no channel '\(wanted)'",
          hint: "it has " + channels.map(\.name).joined(separator: ", "))
      }
      chosen = chosen.filter { names.contains($0.0.name) }
    }
    let accuracy = try AccuracyOptions.read(options["accuracy"], of: name)
    let calibration = options["calibrated"]?.text ?? ""
    return FileMeter(
      MeterIdentity(
        name: name, driver: driver, model: model, location: location, range: range,
        calibration: calibration, verified: verified),
      channels: chosen.map { channel, _ in
        var channel = channel
        channel.accuracy = channel.kind.flatMap { accuracy[$0] } ?? channel.accuracy
        return channel
      }, files: chosen.map(\.1), rate: rate, properties: properties, through: connection)
  }

  /// The one that an option means among those that a board has.
  ///
  /// - Parameters:
  ///   - what: for messages: `power supply with a gauge`.
  ///   - option: the name of the option, and what it says; nil means the only one.
  /// - Throws: `notFound`, `invalid` when several are meant; with the names of those there are.
  static func choose<Item>(
    _ all: [Item], _ what: String, by option: (name: String, value: String?), of meter: String,
    on board: String, name: (Item) -> String, where isMeant: (Item, String) -> Bool
  ) throws(MeterFailure) -> Item {
    let matching = all.filter { item in option.value.map { isMeant(item, $0) } ?? true }
    let known = all.map(name).joined(separator: ", ")
    guard let first = matching.first else {
      throw MeterFailure(
        .notFound,
        "\(meter): \(board) has no \(what)" + (option.value.map { " '\($0)'" } ?? ""),
        hint: known.isEmpty ? "" : "it has \(known)")
    }
    guard matching.count == 1 else {
      throw MeterFailure(
        .invalid, "\(meter): \(matching.count) of \(board) are meant, each a \(what)",
        hint: "say which one by '\(option.name)': \(known)")
    }
    return first
  }
}
