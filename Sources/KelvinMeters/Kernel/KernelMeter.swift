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
    let chosen = try select(Array(zip(channels, files)), by: options, of: name) { $0.0.name }
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

  /// Those that the option `channels` names; all without it.
  ///
  /// - Throws: `invalid` for a name that is none, with those that there are.
  static func select<Item>(
    _ all: [Item], by options: [String: Value], of meter: String, name: (Item) -> String
  ) throws(MeterFailure) -> [Item] {
    guard let names = options["channels"]?.list?.compactMap(\.text), !names.isEmpty else {
      return all
    }
    let known = all.map(name)
    for wanted in names where !known.contains(wanted) {
      throw MeterFailure(
        .invalid, "\(meter): it has no channel '\(wanted)'",
        hint: "it has " + known.joined(separator: ", "))
    }
    return all.filter { names.contains(name($0)) }
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
