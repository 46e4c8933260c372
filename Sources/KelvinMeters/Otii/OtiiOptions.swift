internal import KelvinConnections
internal import KelvinModel

/// What a bench file says of an Otii.
struct OtiiOptions: Sendable {
  /// What becomes of what was set, when the meter is closed.
  enum Ending: String, Sendable, CaseIterable {
    /// Everything is as it was found.
    case restore
    /// Everything stays.
    case leave
    /// The main output is switched off; the rest stays.
    case off
  }

  var host: String
  var port: UInt16
  /// By its name or its id; nil: the only one there is.
  var device: String?
  var channels: [OtiiChannel]
  /// Samples a second; nil: as it is.
  var rate: Int64?
  /// In volts and amperes; nil: as it is.
  var voltage: Double?
  var currentLimit: Double?
  /// What the board takes at most.
  var maxVoltage: Double?
  var maxCurrent: Double?
  /// As the server calls it: `low` (changes by itself) or `high`; nil: as it is.
  var range: String?
  var switchesOn: Bool
  var ending: Ending
  var keepsRecording: Bool
  /// Who logs in; nil: whoever has logged in at the server.
  var user: String?
  var password: PasswordSource?
  /// From the last setting to the first sample, in seconds.
  var settle: Double
  /// How long an answer may take, and how long no sample may come, in seconds.
  var patience: Double
  var accuracy: [MeterChannel.Kind: Accuracy]

  static let declared: [OptionDeclaration] = [
    .init("host", .text, default: "127.0.0.1", "Where Otii's server is: a name or an address."),
    .init("port", .integer, default: 1905, range: 1...65_535, "Its TCP port."),
    .init(
      "device", .text, "Which Arc or Ace, by its name or id; otherwise the only one there is."),
    .init(
      "channels", .list(.choice(OtiiChannel.allCases.map(\.rawValue))), isDetail: true,
      "What is recorded; main-current and main-voltage otherwise."),
    .init(
      "rate", .quantity(.frequency, bare: "Hz"), range: 1...1e6, isDetail: true,
      "Samples a second of each channel, where they can be set (Ace); as it is otherwise."),
    .init(
      "voltage", .quantity(.voltage, bare: nil), range: 0...25, isDetail: true,
      "What the main output is set to, when it measures first."),
    .init(
      "current-limit", .quantity(.current, bare: nil), range: 0.001...5, isDetail: true,
      "Beyond which current the main output is cut off."),
    .init(
      "max-voltage", .quantity(.voltage, bare: nil), aliases: ["max_voltage"], range: 0...25,
      isDetail: true, "What the board takes at most: more is refused, whoever asks for it."),
    .init(
      "max-current", .quantity(.current, bare: nil), aliases: ["max_current"], range: 0...5,
      isDetail: true, "The greatest 'current-limit' that is allowed."),
    .init(
      "range", .choice(["as-is", "auto", "high"]), default: "as-is", isDetail: true,
      "'high' keeps its current in the high range; 'auto' lets it change by itself."),
    .init(
      "output", .choice(["as-is", "on"]), default: "as-is", isDetail: true,
      "'on': the main output is switched on when it measures first."),
    .init(
      "at-end", .choice(Ending.allCases.map(\.rawValue)), default: "restore", isDetail: true,
      "When the meter is closed: 'restore' puts back what was set, 'leave' leaves it, 'off' switches the main "
        + "output off and leaves the rest."),
    .init(
      "keep-recording", .boolean, default: false, isDetail: true,
      "Whether recordings stay in Otii's project after they were read."),
    .init(
      "user", .text, isDetail: true,
      "Who logs in at the server, where nobody has; logged out again at the end."),
    .init(
      "password-from", .text, isDetail: true,
      "Where the password is: 'env:NAME', or 'file:PATH' of a file that only you can read."),
    .init(
      "settle", .quantity(.time, bare: "s"), default: .number(0.1), range: 0...3600, isDetail: true,
      "From the last setting to the first sample."),
    .init(
      "patience", .quantity(.time, bare: "s"), default: .number(5), range: 0.05...600,
      isDetail: true, "How long an answer may take, and how long no sample may come."),
    AccuracyOptions.option
  ]

  /// Reads them, and holds what is to be set against the limits.
  ///
  /// - Throws: `invalid`, before anything is sent.
  init(_ values: [String: Value], of name: String) throws(MeterFailure) {
    host = values["host"]?.text ?? "127.0.0.1"
    guard let number = UInt16(exactly: values["port"]?.integer ?? 1905), number > 0, !host.isEmpty
    else { throw MeterFailure(.invalid, "\(name): 'port' must be 1 to 65535, and 'host' a name") }
    port = number
    device = values["device"]?.text
    let names = values["channels"]?.list?.compactMap(\.text) ?? ["main-current", "main-voltage"]
    channels = names.compactMap { OtiiChannel(rawValue: $0) }
    guard channels.count == names.count, Set(channels).count == channels.count,
      channels.contains(where: { $0.kind != .logic })
    else {
      throw MeterFailure(
        .invalid, "\(name): 'channels' are names, each once, and one of them is no digital input",
        hint: "there are " + OtiiChannel.allCases.map(\.rawValue).joined(separator: ", "))
    }
    rate = values["rate"]?.number.flatMap { Int64(exactly: $0.rounded()) }
    voltage = values["voltage"]?.number
    currentLimit = values["current-limit"]?.number
    maxVoltage = values["max-voltage"]?.number
    maxCurrent = values["max-current"]?.number
    range = ["auto": "low", "high": "high"][values["range"]?.text ?? ""]
    switchesOn = values["output"]?.text == "on"
    ending = Ending(rawValue: values["at-end"]?.text ?? "") ?? .restore
    keepsRecording = values["keep-recording"]?.boolean ?? false
    user = values["user"]?.text
    do throws(PlainFailure) {
      password = try values["password-from"]?.text.map { text throws(PlainFailure) in
        try PasswordSource(text)
      }
    } catch { throw MeterFailure(.invalid, "\(name): \(error.message)", hint: error.hint) }
    guard (user == nil) == (password == nil) else {
      throw MeterFailure(
        .invalid, "\(name): it has 'user' or 'password-from', but not both")
    }
    settle = values["settle"]?.number ?? 0.1
    patience = values["patience"]?.number ?? 5
    accuracy = try AccuracyOptions.read(values["accuracy"], of: name)
    try within(voltage, maxVoltage, "V", "max-voltage", name)
    try within(currentLimit, maxCurrent, "A", "max-current", name)
  }

  /// Refuses what is more than the bench file allows.
  func within(
    _ value: Double?, _ limit: Double?, _ unit: String, _ option: String, _ name: String
  ) throws(MeterFailure) {
    guard let value, let limit, value > limit else { return }
    throw MeterFailure(
      .invalid, "\(name): \(value) \(unit) is more than the \(limit) \(unit) of '\(option)'",
      hint: "the bench file says what the board takes at most")
  }
}
