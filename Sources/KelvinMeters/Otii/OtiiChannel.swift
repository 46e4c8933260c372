internal import KelvinModel

/// What an Otii measures, by the names of bench files.
///
/// Source: qoitech/otii-tcp-client-python, arc.py, enable_channel.
package enum OtiiChannel: String, Sendable, CaseIterable {
  case mainCurrent = "main-current"
  case mainVoltage = "main-voltage"
  case mainPower = "main-power"
  case adcCurrent = "adc-current"
  case adcVoltage = "adc-voltage"
  case adcPower = "adc-power"
  case sensePlus = "sense-plus"
  case senseMinus = "sense-minus"
  case bus = "vbus"
  case jack = "dc-jack"
  case temperature
  case gpi1
  case gpi2

  /// As the server calls it.
  package var code: String {
    switch self {
    case .mainCurrent: "mc"
    case .mainVoltage: "mv"
    case .mainPower: "mp"
    case .adcCurrent: "ac"
    case .adcVoltage: "av"
    case .adcPower: "ap"
    case .sensePlus: "sp"
    case .senseMinus: "sn"
    case .bus: "vb"
    case .jack: "vj"
    case .temperature: "tp"
    case .gpi1: "i1"
    case .gpi2: "i2"
    }
  }

  var kind: MeterChannel.Kind {
    switch self {
    case .mainCurrent, .adcCurrent: .current
    case .mainVoltage, .adcVoltage, .sensePlus, .senseMinus, .bus, .jack: .voltage
    case .mainPower, .adcPower: .power
    case .temperature: .temperature
    case .gpi1, .gpi2: .logic
    }
  }

  /// Voltage and current of one place are a power.
  private var site: String {
    switch self {
    case .mainCurrent, .mainVoltage, .mainPower: "main"
    case .adcCurrent, .adcVoltage, .adcPower: "adc"
    case .sensePlus, .senseMinus, .bus, .jack, .temperature, .gpi1, .gpi2: rawValue
    }
  }

  /// The server gives floating numbers: steps are far below what such meters tell apart.
  private var scale: Double {
    switch kind {
    case .current: 1e-10
    case .voltage: 1e-7
    case .power: 1e-9
    case .logic: 1
    default: 1e-4
    }
  }

  func channel(_ accuracy: Accuracy?) -> Channel {
    Channel(
      name: rawValue, unit: kind == .logic ? "" : kind.dimension?.baseUnit ?? "", scale: scale,
      site: site, kind: kind, accuracy: accuracy)
  }
}
