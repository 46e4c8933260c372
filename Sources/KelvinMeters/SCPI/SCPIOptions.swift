internal import KelvinDevices
internal import KelvinModel

/// What a bench file says of an instrument that speaks SCPI.
struct SCPIOptions: Sendable {
  /// What becomes of what was set, when the meter is closed.
  enum Ending: String, Sendable, CaseIterable {
    /// Everything is as it was found.
    case restore
    /// Everything stays.
    case leave
    /// The outputs are switched off; the rest stays.
    case off
  }

  var place: SCPIPlace
  /// Nil: the one that fits what the instrument says of itself.
  var profile: SCPIProfile?
  /// Of the instrument: 1 is the first.
  var channels: [Int]
  /// Nil: what the profile says.
  var kinds: [MeterChannel.Kind]?
  /// Rounds, or samples of the instrument's own logging, in a second; nil: as fast as it answers.
  var rate: Double?
  /// By the instrument's own logging.
  var isLogged: Bool
  /// In volts and amperes; nil: as it is.
  var voltage: Double?
  var currentLimit: Double?
  var overVoltage: Double?
  var overCurrent: Double?
  /// What the board takes at most.
  var maxVoltage: Double?
  var maxCurrent: Double?
  /// Whether the outputs are switched on when it measures first.
  var switchesOn: Bool
  var ending: Ending
  /// From the last setting to the first sample, in seconds.
  var settle: Double
  /// How long an answer may take, in seconds.
  var patience: Double
  var accuracy: [MeterChannel.Kind: Accuracy]

  static let declared: [OptionDeclaration] = [
    .init("host", .text, "Where the instrument is on the network: a name or an address."),
    DeviceMatch.option(of: "meter"),
    .init(
      "port", .integer, range: 1...65_535,
      "The TCP port of its raw socket: 5025 unless the profile says otherwise; Rigol's is 5555."),
    .init(
      "profile", .choice(SCPIProfile.names), isDetail: true,
      "Which words it knows; otherwise by what it says of itself, 'generic' where that is none of these."
    ),
    .init(
      "channels", .list(.integer), isDetail: true,
      "Which of its outputs or inputs are measured, such as [1, 2]; the first one otherwise."),
    .init(
      "read", .list(.choice(["voltage", "current", "power"])), isDetail: true,
      "What is read of each: what one question answers for, or else voltage and current; a multimeter "
        + "reads one of them."),
    .init(
      "rate", .quantity(.frequency, bare: "Hz"), range: 1e-3...1e6, isDetail: true,
      "Readings a second; as fast as it answers otherwise."),
    .init(
      "logging", .boolean, default: .boolean(false), isDetail: true,
      "Whether the instrument samples by its own clock, at 'rate', and sends what it has: Keysight's external "
        + "data log, Rohde & Schwarz's FastLog."),
    .init(
      "voltage", .quantity(.voltage, bare: nil), range: 0...10_000, isDetail: true,
      "What the output is set to, when it measures first."),
    .init(
      "current-limit", .quantity(.current, bare: nil), range: 0...10_000, isDetail: true,
      "What the output gives at most."),
    .init(
      "over-voltage", .quantity(.voltage, bare: nil), range: 0...10_000, isDetail: true,
      "Beyond which voltage the instrument switches its output off."),
    .init(
      "over-current", .quantity(.current, bare: nil), range: 0...10_000, isDetail: true,
      "Beyond which current it does; where it trips at its current limit, the same as that."),
    .init(
      "max-voltage", .quantity(.voltage, bare: nil), aliases: ["max_voltage"], range: 0...10_000,
      isDetail: true, "What the board takes at most: more is refused, whoever asks for it."),
    .init(
      "max-current", .quantity(.current, bare: nil), aliases: ["max_current"], range: 0...10_000,
      isDetail: true, "The greatest 'current-limit' that is allowed."),
    .init(
      "output", .choice(["as-is", "on"]), default: .text("as-is"), isDetail: true,
      "'on': the outputs of 'channels' are switched on when it measures first."),
    .init(
      "at-end", .choice(Ending.allCases.map(\.rawValue)), default: .text("restore"), isDetail: true,
      "When the meter is closed: 'restore' puts back what was set, 'leave' leaves it, 'off' switches the "
        + "outputs off and leaves the rest."),
    .init(
      "settle", .quantity(.time, bare: "s"), default: .number(0.1), range: 0...3600, isDetail: true,
      "From the last setting to the first sample."),
    .init(
      "patience", .quantity(.time, bare: "s"), default: .number(3), range: 0.05...600,
      isDetail: true, "How long an answer may take."),
    AccuracyOptions.option
  ]

  /// Reads them, and holds what is to be set against the limits.
  ///
  /// - Throws: `invalid`, before anything is sent.
  init(_ values: [String: Value], of name: String) throws(MeterFailure) {
    let port = values["port"]?.integer.flatMap { UInt16(exactly: $0) }
    guard port != nil || values["port"]?.integer == nil, port != 0 else {
      throw MeterFailure(.invalid, "\(name): 'port' must be 1 to 65535")
    }
    let wanted = values["profile"]?.text
    profile = SCPIProfile.builtIn.first { $0.name == wanted }
    guard wanted == nil || profile != nil else {
      throw MeterFailure(
        .invalid, "\(name): there is no profile '\(wanted ?? "")'",
        hint: "there are " + SCPIProfile.names.joined(separator: ", "))
    }
    switch (values["host"]?.text, DeviceMatch(values["match"])) {
    case (let host?, nil) where !host.isEmpty:
      place = .network(host: host, port: port ?? profile?.port ?? 5025)
    case (nil, let match?): place = .usb(match)
    default:
      throw MeterFailure(
        .invalid, "\(name): it has no place, or two",
        hint: "give 'host' on the network, or 'match' on USB")
    }
    let numbers = values["channels"]?.list?.compactMap { $0.integer.flatMap { Int(exactly: $0) } }
    channels = numbers ?? [1]
    guard !channels.isEmpty, channels.allSatisfy({ $0 > 0 }), Set(channels).count == channels.count
    else {
      throw MeterFailure(
        .invalid, "\(name): 'channels' are numbers from 1 on, each once", hint: "such as [1, 2]")
    }
    kinds = values["read"]?.list?.compactMap { $0.text.flatMap(MeterChannel.Kind.init(rawValue:)) }
    rate = values["rate"]?.number
    isLogged = values["logging"]?.boolean ?? false
    switchesOn = values["output"]?.text == "on"
    ending = Ending(rawValue: values["at-end"]?.text ?? "") ?? .restore
    settle = values["settle"]?.number ?? 0.1
    patience = values["patience"]?.number ?? 3
    accuracy = try AccuracyOptions.read(values["accuracy"], of: name)
    maxVoltage = values["max-voltage"]?.number
    maxCurrent = values["max-current"]?.number
    voltage = values["voltage"]?.number
    currentLimit = values["current-limit"]?.number
    overVoltage = values["over-voltage"]?.number
    overCurrent = values["over-current"]?.number
    try check(name)
  }

  private func check(_ name: String) throws(MeterFailure) {
    try within(voltage, maxVoltage, "V", "max-voltage", name)
    try within(currentLimit, maxCurrent, "A", "max-current", name)
    let sets = [voltage, currentLimit, overVoltage, overCurrent].contains { $0 != nil }
    guard !sets || channels.count == 1 else {
      throw MeterFailure(
        .invalid, "\(name): a voltage or a limit for several channels",
        hint: "make a meter of each channel that is set")
    }
    if let voltage, let overVoltage, overVoltage <= voltage {
      throw MeterFailure(
        .invalid,
        "\(name): 'over-voltage' (\(overVoltage) V) would trip at 'voltage' (\(voltage) V)")
    }
    guard !isLogged || channels.count == 1 else {
      throw MeterFailure(.invalid, "\(name): 'logging' of more than one channel")
    }
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
