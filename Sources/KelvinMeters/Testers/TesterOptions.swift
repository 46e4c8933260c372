internal import KelvinDevices
internal import KelvinModel

/// What a bench file says of a USB tester on a serial line.
struct TesterOptions: Sendable {
  /// Its port; nil: that of the match.
  var path: String?
  var match: DeviceMatch?
  var baud: UInt32
  /// Readings a second of one that is asked; nil of one that sends by itself.
  var rate: Double?
  /// How long an answer may take, in seconds.
  var patience: Double
  var accuracy: [MeterChannel.Kind: Accuracy]

  /// - Parameters:
  ///   - baud: of the line, where nobody says.
  ///   - isAsked: whether it answers questions, and does not send by itself.
  static func declared(baud: Int64, isAsked: Bool) -> [OptionDeclaration] {
    var options: [OptionDeclaration] = [
      .init("path", .path, "Its port, as in /dev/serial/by-id or /dev/rfcomm0."),
      DeviceMatch.option(of: "meter"),
      .init(
        "baud", .integer, default: .integer(baud), range: 300...4_000_000, isDetail: true,
        "Bits a second, where its line is a true one and not USB or Bluetooth alone.")
    ]
    if isAsked {
      options.append(
        .init(
          "rate", .quantity(.frequency, bare: "Hz"), default: .number(10), range: 0.01...100,
          isDetail: true, "How often it is asked. How often it measures, nobody says."))
    }
    return options + [
      .init(
        "patience", .quantity(.time, bare: "s"), default: .number(isAsked ? 1 : 3),
        range: 0.05...60, isDetail: true,
        isAsked ? "How long an answer may take." : "How long nothing may come."),
      AccuracyOptions.option
    ]
  }

  /// Reads them.
  ///
  /// - Throws: `invalid`, before anything is opened.
  init(_ values: [String: Value], of name: String) throws(MeterFailure) {
    path = values["path"]?.text
    match = DeviceMatch(values["match"])
    guard (path == nil) != (match == nil) else {
      throw MeterFailure(
        .invalid, "\(name): \(path == nil ? "neither" : "both") 'match' and 'path'",
        hint: "name its port in one way")
    }
    baud = values["baud"]?.integer.flatMap { UInt32(exactly: $0) } ?? 115_200
    rate = values["rate"]?.number
    patience = values["patience"]?.number ?? 1
    accuracy = try AccuracyOptions.read(values["accuracy"], of: name)
  }
}
