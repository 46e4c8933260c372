internal import KelvinModel

/// Whose plug it is, and how it is asked.
enum PlugModel: String, Sendable, CaseIterable {
  case tasmota
  /// First generation, with a meter for each output.
  case shelly1
  /// First generation, an energy meter (EM).
  case shelly1EM = "shelly1-em"
  /// Second generation and later, with a switch.
  case shelly2
  /// Second generation and later, without a switch (PM).
  case shelly2PM = "shelly2-pm"

  /// As bench files have it; `shelly` finds out which.
  static let names = ["tasmota", "shelly"]

  var title: String {
    switch self {
    case .tasmota: "Tasmota"
    case .shelly1, .shelly1EM: "Shelly, first generation"
    case .shelly2, .shelly2PM: "Shelly, second generation or later"
    }
  }

  /// What is asked for.
  func target(_ output: Int) -> String {
    switch self {
    case .tasmota: "/cm?cmnd=Status%208"
    case .shelly1: "/meter/\(output)"
    case .shelly1EM: "/emeter/\(output)"
    case .shelly2: "/rpc/Switch.GetStatus?id=\(output)"
    case .shelly2PM: "/rpc/PM1.GetStatus?id=\(output)"
    }
  }

  func reading(_ answer: [String: Value], _ output: Int) -> PlugReading? {
    switch self {
    case .tasmota: PlugReading(tasmota: answer, output: output)
    case .shelly1: PlugReading(shelly1: answer, isEM: false)
    case .shelly1EM: PlugReading(shelly1: answer, isEM: true)
    case .shelly2, .shelly2PM: PlugReading(shelly2: answer, id: output)
    }
  }

  /// The least step of its energy counter, in joules: Tasmota tells thousandths of a kilowatt-hour unless `EnergyRes` is
  /// set to more digits, Shelly watt-minutes, tenths or thousandths of a watt-hour.
  var energyStep: Double {
    switch self {
    case .tasmota: 3600
    case .shelly1: 60
    case .shelly1EM: 360
    case .shelly2, .shelly2PM: 3.6
    }
  }

  /// A channel, in steps far below what it tells.
  ///
  /// Voltage and current have sites of their own: at the mains their product is no power.
  func channel(_ kind: MeterChannel.Kind, update: Double, _ accuracy: Accuracy?) -> Channel {
    let scale: Double =
      switch kind {
      case .power: 1e-3
      case .voltage: 1e-3
      case .energy: 1e-2
      default: 1e-6
      }
    var accuracy = accuracy
    if kind == .energy {
      accuracy = accuracy ?? Accuracy(gain: 0, offset: 0, source: "its counter's step alone")
      accuracy?.resolution = energyStep
    }
    return Channel(
      name: kind.rawValue, unit: kind.dimension?.baseUnit ?? "", scale: scale,
      site: kind == .power || kind == .energy ? "" : "mains-\(kind.rawValue)", kind: kind,
      accuracy: accuracy, wrap: kind == .energy ? 0 : nil, averagingTime: update)
  }
}
