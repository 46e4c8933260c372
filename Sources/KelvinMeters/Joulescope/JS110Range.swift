/// A range of a JS110's current: the numbers are those that its samples carry.
///
/// Source: jetperch/pyjoulescope, joulescope/parameters_v1.py (i_range); joulescope_driver,
/// src/devices/js110/js110_usb.c (s/i/range/select).
enum JS110Range: Int, Sendable, Hashable, CaseIterable {
  case tenAmperes
  case twoAmperes
  case hundredEightyMilliamperes
  case eighteenMilliamperes
  case oneMilliampere
  case hundredEightyMicroamperes
  case eighteenMicroamperes

  /// As bench files have it.
  var name: String {
    switch self {
    case .tenAmperes: "10 A"
    case .twoAmperes: "2 A"
    case .hundredEightyMilliamperes: "180 mA"
    case .eighteenMilliamperes: "18 mA"
    case .oneMilliampere: "1.8 mA"
    case .hundredEightyMicroamperes: "180 uA"
    case .eighteenMicroamperes: "18 uA"
    }
  }

  /// The register that holds it fast.
  var select: UInt8 { 1 << UInt8(rawValue) }
}

/// Which range of current it is to take.
enum JS110Ranging: Sendable, Hashable {
  /// The meter's own choice, sample by sample.
  case automatic
  case fixed(JS110Range)
  /// No current flows: the board is disconnected.
  case off

  init?(name: String) {
    if name == "auto" {
      self = .automatic
    } else if let range = JS110Range.allCases.first(where: { $0.name == name }) {
      self = .fixed(range)
    } else {
      return nil
    }
  }

  var name: String {
    switch self {
    case .automatic: "auto"
    case .fixed(let range): range.name
    case .off: "off"
    }
  }

  /// What the register takes.
  var select: UInt8 {
    switch self {
    case .automatic: 0x80
    case .fixed(let range): range.select
    case .off: 0
    }
  }

  /// Of a register; nil: it is of no use that anybody describes.
  init?(select: UInt8) {
    switch select {
    case 0x80: self = .automatic
    case 0: self = .off
    default:
      guard let range = JS110Range.allCases.first(where: { $0.select == select }) else {
        return nil
      }
      self = .fixed(range)
    }
  }
}

/// A range of a JS110's voltage: the numbers are those that its packets carry.
enum JS110VoltageRange: Int, Sendable, Hashable, CaseIterable {
  case fifteenVolts
  case fiveVolts

  var name: String { self == .fifteenVolts ? "15 V" : "5 V" }

  init?(name: String) {
    guard let range = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = range
  }
}
