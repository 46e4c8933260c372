internal import Glibc

/// Instruments that the simulator stands in for: what they call themselves, how they write numbers, which words
/// they know.
package enum SCPIModel: String, Sendable, CaseIterable {
  case n6705 = "keysight-n6705"
  case dp832 = "rigol-dp800"
  case dm3068 = "rigol-dm3068"
  case spd3303 = "siglent-spd3303"
  case sdm3055 = "siglent-sdm3055"
  case ngm202 = "rs-ngm202"
  case hmc8043 = "rs-hmc8043"
  case generic

  /// How a line says which channel it means.
  enum Addressing { case list, channelWord, selection, none }

  /// The answer to `*IDN?`.
  package var identity: String {
    switch self {
    case .n6705: "Keysight Technologies,N6705C,MY56000001,E.02.08.2784"
    case .dp832: "RIGOL TECHNOLOGIES,DP832,DP8C000000001,00.01.16"
    case .dm3068: "Rigol Technologies,DM3068,DM3O000000001,01.01.00.01.12.00"
    case .spd3303: "Siglent Technologies,SPD3303X,SPD3X000000001,1.01.01.02.05,V3.0"
    case .sdm3055: "Siglent Technologies,SDM3055,SDM35000000001,1.01.01.25"
    case .ngm202: "Rohde&Schwarz,NGM202,3638.4472k03/100001,03.068"
    case .hmc8043: "Rohde&Schwarz,HMC8043,100001,HW50020003/SW1.400"
    case .generic: "Acme,PSU-1,0,1.0"
    }
  }

  package var channels: Int {
    switch self {
    case .n6705: 4
    case .dp832, .hmc8043: 3
    case .spd3303, .ngm202: 2
    case .dm3068, .sdm3055, .generic: 1
    }
  }

  /// Whether it only measures.
  package var isMeter: Bool { self == .dm3068 || self == .sdm3055 }

  var addressing: Addressing {
    switch self {
    case .n6705: .list
    case .dp832, .spd3303: .channelWord
    case .ngm202, .hmc8043: .selection
    case .dm3068, .sdm3055, .generic: .none
    }
  }

  /// Of a value, in its own digits.
  package func text(_ value: Double, _ quantity: SCPIQuantity) -> String {
    switch self {
    case .n6705, .sdm3055: Self.format("%+.8E", value)
    case .dm3068: Self.format("%.6e", value)
    case .dp832: Self.format(quantity == .power ? "%.3f" : "%.4f", value)
    case .spd3303: Self.format("%.3f", value)
    case .ngm202: Self.format("%.6f", value)
    case .hmc8043, .generic: Self.format("%.4f", value)
    }
  }

  static func format(_ text: String, _ value: Double) -> String {
    var buffer = [CChar](repeating: 0, count: 64)
    let count = withVaList([value]) { vsnprintf(&buffer, buffer.count, text, $0) }
    let bytes = buffer.prefix(max(0, min(Int(count), 63))).map(UInt8.init(bitPattern:))
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// What can be measured.
package enum SCPIQuantity: String, Sendable, CaseIterable { case voltage, current, power }

/// The board behind an instrument: its current is a triangle with a period of a second, 100 mA ± 50 mA at
/// channel 1, twice as much at channel 2, and so on; its voltage what the channel is set to.
package enum SCPIWaveform {
  /// In amperes.
  ///
  /// - Parameter seconds: since the simulator began.
  package static func current(_ channel: Int, at seconds: Double) -> Double {
    let phase = seconds - seconds.rounded(.down)
    let triangle = phase < 0.5 ? 4 * phase - 1 : 3 - 4 * phase
    return Double(channel) * (0.1 + 0.05 * triangle)
  }

  /// By how much that changes at most, in amperes a second.
  package static func slope(_ channel: Int) -> Double { Double(channel) * 0.2 }
}
