internal import KelvinModel

/// What a bench file says of a JS110.
struct JS110Options: Sendable, Hashable {
  var ranging: JS110Ranging
  var voltageRange: JS110VoltageRange
  /// What is recorded: its samples, or what it computes of them itself.
  var isStatistics: Bool
  var hasInputs: Bool
  /// Level of the inputs, in millivolts; nil: as it is found.
  var millivolts: UInt32?
  /// Whether samples at changes of range are replaced.
  var isFiltered: Bool
  var isFactory: Bool
  /// Whether what was set stays when the meter is closed.
  var isLeft: Bool
  var accuracy: [MeterChannel.Kind: Accuracy]

  static let rangeNames = ["auto"] + JS110Range.allCases.map(\.name)

  static let declared: [OptionDeclaration] = [
    DeviceMatch.option(of: "meter"),
    .init(
      "current-range", .choice(rangeNames), aliases: ["current_range"], default: .text("auto"),
      isDetail: true,
      "The range of its current: 'auto' lets it choose for each sample. A small one that is held drops more "
        + "voltage than a board may bear."),
    .init(
      "voltage-range", .choice(JS110VoltageRange.allCases.map(\.name)), aliases: ["voltage_range"],
      default: .text("15 V"), isDetail: true, "The range of its voltage."),
    .init(
      "deliver", .choice(["samples", "statistics"]), default: .text("samples"), isDetail: true,
      "'samples': 2,000,000 a second; 'statistics': twice a second the means that it computes of them, with its "
        + "own sum of energy."),
    .init(
      "inputs", .boolean, default: .boolean(false), isDetail: true,
      "Whether its inputs 0 and 1 are recorded, in the place of the lowest bits of current and voltage."
    ),
    .init(
      "io-voltage", .quantity(.voltage, bare: nil), aliases: ["io_voltage"], range: 1.8...5,
      isDetail: true,
      "Level of its inputs and outputs: 1.8, 2.1, 2.5, 2.7, 3, 3.3, 3.6 or 5 V. As it is found otherwise."
    ),
    .init(
      "filter", .boolean, default: .boolean(true), isDetail: true,
      "Jetperch's filter against what couples over at changes of range; without it values are as they come."
    ),
    .init(
      "calibration", .choice(["active", "factory"]), default: .text("active"), isDetail: true,
      "Which of the calibrations in its memory is used."),
    .init(
      "on-close", .choice(["left", "off"]), aliases: ["on_close"], default: .text("left"),
      isDetail: true,
      "'left': the board stays connected, as it was measured; 'off': settings are put back as they were "
        + "found, which may disconnect it."),
    AccuracyOptions.option
  ]

  /// Reads them.
  ///
  /// - Throws: `invalid`, before anything is looked for.
  init(_ values: [String: Value], of name: String) throws(MeterFailure) {
    let range = values["current-range"]?.text ?? "auto"
    guard let ranging = JS110Ranging(name: range) else {
      throw MeterFailure(
        .invalid, "\(name): it has no range of current '\(range)'",
        hint: "it has " + Self.rangeNames.joined(separator: ", "))
    }
    self.ranging = ranging
    let volts = values["voltage-range"]?.text ?? "15 V"
    guard let voltageRange = JS110VoltageRange(name: volts) else {
      throw MeterFailure(
        .invalid, "\(name): it has no range of voltage '\(volts)'", hint: "it has 15 V and 5 V")
    }
    self.voltageRange = voltageRange
    isStatistics = values["deliver"]?.text == "statistics"
    hasInputs = values["inputs"]?.boolean ?? false
    isFiltered = values["filter"]?.boolean ?? true
    isFactory = values["calibration"]?.text == "factory"
    isLeft = values["on-close"]?.text != "off"
    accuracy = try AccuracyOptions.read(values["accuracy"], of: name)
    millivolts = nil
    if let level = values["io-voltage"]?.number {
      guard
        let millivolts = JS110Inputs.levels.first(where: { abs(Double($0) / 1000 - level) < 1e-6 })
      else {
        throw MeterFailure(
          .invalid, "\(name): its inputs have no level of \(level) V",
          hint: "it has "
            + JS110Inputs.levels.map { "\(Double($0) / 1000) V" }.joined(separator: ", "))
      }
      self.millivolts = millivolts
    }
    guard !(hasInputs && isStatistics) else {
      throw MeterFailure(
        .invalid, "\(name): statistics tell nothing of inputs", hint: "leave out 'inputs'")
    }
  }
}
