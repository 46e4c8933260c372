internal import KelvinMeters
internal import KelvinModel

/// The settings of the energy instrument.
struct EnergyOptions: Sendable {
  /// Empty: those of the board.
  var meters: [String]
  /// Of the meters' drivers.
  var driver: [String: Value] = [:]
  var voltage: PowerSource.AssumedVoltage?
  /// Sites that count; empty: all.
  var sites: [String]
  var derived: DerivedRails
  var idle: IdlePower?
  var rules: RuleProfile?
  var phases: PhaseOptions

  static let declarations: [OptionDeclaration] = [
    OptionDeclaration(
      "meters", .list(.text), aliases: ["meter"],
      "Names as in the bench file, or as 'kelvin meter list' tells; default: those that the bench "
        + "file ties to the board, else the best one of the board's kernel."),
    OptionDeclaration(
      "rate", .quantity(.frequency, bare: "Hz"), range: 0.01...10_000,
      "How often meters of the kernel are read; default: as each one's driver chooses."),
    OptionDeclaration(
      "voltage", .text,
      "The voltage of the supply where a meter measures a current alone: '5 V ± 0.1 V'."),
    OptionDeclaration(
      "accuracy", .map(.text),
      "How far values of meters of the kernel may be off, by kind: '{power: 1 % + 2 mW}'."),
    OptionDeclaration("sites", .list(.text), "Only these sites of the meters."),
    OptionDeclaration(
      "rails", .map(.text),
      "Derived rails: '{total: cpu + gpu, losses: input - total}'; blanks around signs, weights by "
        + "*, names with blanks in quotes. A rail is called by its site, by METER/SITE where two "
        + "meters have the site, and by its meter where that has one site. 'total' is the board."),
    OptionDeclaration(
      "efficiency", .map(.text), "Quotients of two rails: '{psu: out / in}'."),
    PhaseOptions.declaration,
    OptionDeclaration(
      "subtract_idle", .text,
      "Energy above idle, too: idle power measured before each job for a time ('10 s'), or stated "
        + "('1.2 W ± 0.1 W')."),
    OptionDeclaration(
      "rules", .choice(RuleProfile.allCases.map(\.rawValue)),
      "Judge the figures by a benchmark's rules; the verdict names each rule that failed."),
    OptionDeclaration(
      "instrument", .text,
      "Workload Automation's name of a meter: 'hwmon' is taken for the kernel's."),
    OptionDeclaration(
      "instrument_parameters", .map(.any),
      "Accepted from Workload Automation when it is empty; the bench file says how a meter is used."
    ),
    OptionDeclaration(
      "kinds", .list(.text),
      "Accepted for Workload Automation's agendas; energy takes what kinds it needs."),
    OptionDeclaration(
      "channels", .list(.text), "Accepted for Workload Automation's agendas, as 'sites'.")
  ]

  /// Reads validated settings.
  ///
  /// - Throws: `configuration`, the message beginning with the option.
  init(_ settings: [String: Value]) throws(PlainFailure) {
    meters = settings.texts("meters")
    sites = settings.texts("sites") + settings.texts("channels")
    phases = try PhaseOptions(settings["phases"])
    for name in ["rate", "accuracy"] { if let value = settings[name] { driver[name] = value } }
    if let text = settings["voltage"]?.text {
      guard let voltage = PowerSource.AssumedVoltage(text) else {
        throw PlainFailure(
          .configuration, "voltage: '\(text)' is none", hint: "write '5 V' or '5 V ± 0.1 V'")
      }
      self.voltage = voltage
    }
    derived = try DerivedRails(
      sums: settings["rails"]?.map?.compactMapValues(\.text) ?? [:],
      ratios: settings["efficiency"]?.map?.compactMapValues(\.text) ?? [:])
    if let text = settings["subtract_idle"]?.text {
      guard let idle = IdlePower(text) else {
        throw PlainFailure(
          .configuration, "subtract_idle: expected \(IdlePower.expectation), found '\(text)'")
      }
      self.idle = idle
    }
    rules = settings["rules"]?.text.flatMap(RuleProfile.init)
    try readWorkloadAutomation(settings)
  }

  private mutating func readWorkloadAutomation(_ settings: [String: Value]) throws(PlainFailure) {
    if let parameters = settings["instrument_parameters"]?.map, !parameters.isEmpty {
      throw PlainFailure(
        .configuration,
        "instrument_parameters: \(parameters.keys.sorted().joined(separator: ", ")) cannot be used",
        hint:
          "describe the meter in the bench file, 'meters: {NAME: {driver: ...}}', and name it in "
          + "'meters'")
    }
    guard let instrument = settings["instrument"]?.text, meters.isEmpty else { return }
    if instrument == "hwmon" {
      meters = ["hwmon"]
    } else {
      throw PlainFailure(
        .configuration, "instrument: '\(instrument)' is no meter that Kelvin finds by itself",
        hint: "describe it in the bench file, 'meters: {NAME: {driver: ...}}', and name it in "
          + "'meters'")
    }
  }

  /// Those options of a driver that it knows.
  func options(of driver: any MeterDriver) -> [String: Value] {
    self.driver.filter { name, _ in driver.declaration.options.contains { $0.isNamed(name) } }
  }
}
