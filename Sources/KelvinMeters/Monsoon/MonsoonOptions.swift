internal import KelvinModel

/// What a bench file says of a Monsoon.
struct MonsoonOptions: Sendable, Hashable {
  /// What it is to supply, in volts; nil: its output is left as it is found.
  var voltage: Double?
  /// In volts, what the board takes at most; nil: nobody has said.
  var maxVoltage: Double?
  /// Nil: as it is found.
  var usb: MonsoonPassthrough?
  /// In amperes; nil: as they are found.
  var powerUpLimit: Double?
  var runLimit: Double?
  /// That are measured, in the order of a sample.
  var sites: [MonsoonSite]
  /// Whether what was set stays when the meter is closed.
  var isLeft: Bool
  /// From switching the output on to the first sample, in seconds.
  var settle: Double
  var accuracy: [MeterChannel.Kind: Accuracy]

  static let declared: [OptionDeclaration] = [
    DeviceMatch.option(of: "meter"),
    .init(
      "voltage", .quantity(.voltage, bare: nil), range: 0.8...13.5, isDetail: true,
      "What its main channel supplies: 2.01 V to 4.55 V (LVPM), 0.8 V to 13.5 V (HVPM). Without one the "
        + "output is left as it is."),
    .init(
      "max-voltage", .quantity(.voltage, bare: nil), aliases: ["max_voltage"], range: 0.8...13.5,
      isDetail: true, "What the board takes at most: more is refused, whoever asks for it."),
    .init(
      "channels", .list(.choice(MonsoonSite.allCases.map(\.name))), isDetail: true,
      "Where it measures: [main] otherwise; usb is the port at the front; aux has no voltage."),
    .init(
      "usb", .choice(MonsoonPassthrough.allCases.map(\.rawValue)), isDetail: true,
      "Whether its two USB ports are connected through: 'auto' disconnects them while it measures. As it is "
        + "found otherwise."),
    .init(
      "power-up-limit", .quantity(.current, bare: nil), aliases: ["power_up_limit"], range: 0...15,
      isDetail: true, "At which current it switches off, just after it has switched on."),
    .init(
      "current-limit", .quantity(.current, bare: nil), aliases: ["current_limit"], range: 0...15,
      isDetail: true, "At which current it switches off later; up to 8 A (LVPM), 15 A (HVPM)."),
    .init(
      "on-close", .choice(["off", "left"]), aliases: ["on_close"], default: .text("off"),
      isDetail: true,
      "'off': the output is switched off, and what else was set is put back; 'left': all stays as it is."
    ),
    .init(
      "settle", .quantity(.time, bare: "s"), default: .number(0.1), range: 0...3600, isDetail: true,
      "From switching the output on to the first sample."),
    AccuracyOptions.option
  ]

  /// Reads them.
  ///
  /// - Throws: `invalid`, before anything is looked for.
  init(_ values: [String: Value], of name: String) throws(MeterFailure) {
    usb = MonsoonPassthrough(rawValue: values["usb"]?.text ?? "")
    powerUpLimit = values["power-up-limit"]?.number
    runLimit = values["current-limit"]?.number
    isLeft = values["on-close"]?.text == "left"
    settle = values["settle"]?.number ?? 0.1
    accuracy = try AccuracyOptions.read(values["accuracy"], of: name)
    var sites: Set<MonsoonSite> = []
    for text in values["channels"]?.list?.compactMap(\.text) ?? ["main"] {
      guard let site = MonsoonSite.allCases.first(where: { $0.name == text }) else {
        throw MeterFailure(
          .invalid, "\(name): it has no channel '\(text)'", hint: "it has main, usb and aux")
      }
      sites.insert(site)
    }
    guard !sites.isEmpty else {
      throw MeterFailure(.invalid, "\(name): 'channels' names none")
    }
    self.sites = sites.sorted { $0.rawValue < $1.rawValue }
    maxVoltage = values["max-voltage"]?.number
    voltage = values["voltage"]?.number
    if let voltage { try check(voltage: voltage, of: name) }
  }

  /// Holds a voltage against what the board takes.
  func check(voltage: Double, of name: String) throws(MeterFailure) {
    guard let maxVoltage, voltage > maxVoltage else { return }
    throw MeterFailure(
      .invalid, "\(name): \(voltage) V is more than the \(maxVoltage) V of 'max-voltage'",
      hint: "the bench file says what the board takes at most")
  }

  /// Holds all of them against what a model can.
  func check(_ model: MonsoonModel, of name: String) throws(MeterFailure) {
    if let voltage { try check(voltage: voltage, model, of: name) }
    for limit in [powerUpLimit, runLimit] {
      guard let limit, !(0...model.greatestLimit).contains(limit) else { continue }
      throw MeterFailure(
        .invalid,
        "\(name): an \(model.name) limits currents of up to \(model.greatestLimit) A, and not \(limit) A"
      )
    }
    guard model == .hvpm || !sites.contains(.aux) else {
      throw MeterFailure(
        .unsupported, "\(name): it is an LVPM, whose auxiliary input cannot be measured",
        hint: "nobody has published how its codes become currents")
    }
  }

  /// Holds a voltage against what a model supplies and what the board takes.
  func check(
    voltage: Double, _ model: MonsoonModel, of name: String
  ) throws(MeterFailure) {
    let range = model.voltages
    guard range.contains(voltage) else {
      throw MeterFailure(
        .invalid,
        "\(name): an \(model.name) supplies \(range.lowerBound) V to \(range.upperBound) V, and not "
          + "\(voltage) V")
    }
    try check(voltage: voltage, of: name)
  }
}
