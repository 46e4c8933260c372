internal import KelvinModel

/// What a bench file says of an Energy Probe.
struct EnergyProbeOptions: Sendable, Hashable {
  /// One of its three connectors.
  struct Port: Sendable, Hashable {
    /// 0 to 2.
    var number: Int
    var site: String
    /// Of its shunt, in ohms.
    var shunt: Double
    /// In the order of a frame; at least one.
    var fields: [EnergyProbeField]

    /// What it is told to send.
    var mask: UInt8 { fields.reduce(0) { $0 | $1.mask } }
    /// In milliohms, for people.
    var milliohms: String { Self.short(shunt * 1000) }
    /// What it can measure, in amperes, for people.
    var greatest: String { Self.short(EnergyProbeLimits.drop / shunt) }

    /// At most three decimals.
    private static func short(_ number: Double) -> String {
      let rounded = (number * 1000).rounded() / 1000
      return rounded == rounded.rounded() ? "\(Int64(rounded))" : "\(rounded)"
    }
  }

  /// By their numbers, ascending; at least one.
  var ports: [Port]
  /// What somebody states of its channels.
  var accuracy: [MeterChannel.Kind: Accuracy]

  private static let port: [OptionDeclaration] = [
    .init(
      "shunt", .quantity(.resistance, bare: "mohm"), required: true,
      range: EnergyProbeLimits.shunt,
      "The resistance between its two pins: 5 mohm to 500 mohm, over which at most 165 mV may drop."
    ),
    .init("site", .text, "What it is called; 'channel0' otherwise."),
    .init(
      "fields", .list(.choice(EnergyProbeField.allCases.map(\.rawValue))),
      default: .list([.text("power")]),
      "What it sends: power, voltage, current. Its own power has the finer steps above 1 V.")
  ]

  static let declared: [OptionDeclaration] = [
    .init("path", .path, "Its port, as in /dev/serial/by-id, when there is no 'match'."),
    DeviceMatch.option(of: "meter"),
    .init(
      "channels", .map(.structure(port, shorthand: "shunt")), required: true, isDetail: true,
      "Its connectors that are used, by number, with their shunts: '{0: 20 mohm}', "
        + "'{0: {shunt: 20 mohm, site: cpu}, 1: {shunt: 50 mohm, site: gpu}}'."),
    AccuracyOptions.option
  ]

  /// Reads them.
  ///
  /// - Throws: `invalid`, before anything is sent.
  init(_ values: [String: Value], of name: String) throws(MeterFailure) {
    accuracy = try AccuracyOptions.read(values["accuracy"], of: name)
    var ports: [Port] = []
    for (key, value) in values["channels"]?.map ?? [:] {
      guard let number = Int(key), (0..<EnergyProbeLimits.channels).contains(number),
        key == "\(number)"
      else {
        throw MeterFailure(.invalid, "\(name): it has no channel '\(key)'", hint: "it has 0, 1, 2")
      }
      ports.append(try Self.port(number, value.map ?? [:], of: name))
    }
    guard !ports.isEmpty else {
      throw MeterFailure(
        .invalid, "\(name): no channel has a shunt",
        hint: "the board's documentation tells them: 'channels: {0: 20 mohm}'")
    }
    ports.sort { $0.number < $1.number }
    for (place, port) in ports.enumerated() {
      if let other = ports[..<place].first(where: { $0.site == port.site }) {
        throw MeterFailure(
          .invalid,
          "\(name): channels \(other.number) and \(port.number) are both called '\(port.site)'",
          hint: "give each its own 'site'")
      }
    }
    self.ports = ports
  }

  private static func port(
    _ number: Int, _ values: [String: Value], of name: String
  ) throws(MeterFailure) -> Port {
    guard let shunt = values["shunt"]?.number, EnergyProbeLimits.shunt.contains(shunt) else {
      throw MeterFailure(
        .invalid, "\(name): channel \(number) needs a shunt of 5 mohm to 500 mohm",
        hint: "its values are computed with it: 'channels: {\(number): 20 mohm}'")
    }
    let wanted = values["fields"]?.list?.compactMap(\.text) ?? ["power"]
    let fields = EnergyProbeField.allCases.filter { wanted.contains($0.rawValue) }
    guard !fields.isEmpty, wanted.count == fields.count else {
      throw MeterFailure(
        .invalid,
        "\(name): channel \(number) has no such fields: '\(wanted.joined(separator: ", "))'",
        hint: "they are power, voltage and current, each once")
    }
    let site = values["site"]?.text ?? ""
    return Port(
      number: number, site: site.isEmpty ? "channel\(number)" : site, shunt: shunt, fields: fields)
  }

  /// What it measures, in the order in which a frame has it.
  var channels: [Channel] {
    ports.flatMap { port in
      port.fields.map { field in
        Channel(
          name: "\(port.site).\(field.rawValue)", unit: field.unit, scale: field.scale(port.shunt),
          site: port.site, kind: field.kind, range: field.range(port.shunt),
          accuracy: accuracy[field.kind], averagingTime: Double(EnergyProbeLimits.period) / 1e9)
      }
    }
  }
}

extension EnergyProbeField {
  var kind: MeterChannel.Kind {
    switch self {
    case .power: .power
    case .voltage: .voltage
    case .current: .current
    }
  }

  var unit: String {
    switch self {
    case .power: "W"
    case .voltage: "V"
    case .current: "A"
    }
  }

  /// What a step of its code is, in ``unit``.
  ///
  /// A code times 100 mohm over the shunt is mW and mA, and mV as it is: so a step is 100 µV over the shunt, and
  /// of power 100 µV times 1 V. Source: ARM-software/caiman, caiman/SessionData.cpp (mSourceScaleFactor), and
  /// protocol/caiman/caiman_protocol.html (thousandths).
  ///
  /// - Parameter shunt: in ohms.
  func scale(_ shunt: Double) -> Double { self == .voltage ? 1e-3 : 1e-4 / shunt }

  /// What it can tell apart, in ``unit``; nil where nobody says.
  func range(_ shunt: Double) -> ClosedRange<Double>? {
    self == .current ? 0...EnergyProbeLimits.drop / shunt : nil
  }
}
