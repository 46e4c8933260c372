/// What a PPK2 is told: bytes without frame or length, which it does not answer.
///
/// Source: NordicSemiconductor/pc-nrfconnect-ppk, src/constants.ts (the numbers) and
/// src/device/serialDevice.ts (their arguments).
enum PPK2Command: Sendable, Hashable {
  /// Samples come from now on, until ``stop``.
  case start
  case stop
  /// Whether the board that is measured is connected: to the meter's own supply in source mode, to the
  /// one behind VIN in ampere mode.
  case output(Bool)
  /// What the meter's own supply gives; see ``PPK2Limits/millivolts``.
  case voltage(millivolts: UInt16)
  case mode(PPK2Mode)
  /// Is answered with text: see ``PPK2Metadata``.
  case metadata

  var bytes: [UInt8] {
    switch self {
    case .start: [0x06]
    case .stop: [0x07]
    case .output(let isOn): [0x0c, isOn ? 1 : 0]
    case .voltage(let millivolts): [0x0d, UInt8(millivolts >> 8), UInt8(millivolts & 0xff)]
    case .mode(let mode): [0x11, mode == .ampere ? 1 : 2]
    case .metadata: [0x19]
    }
  }
}

/// What the meter does.
enum PPK2Mode: String, Sendable, Hashable, CaseIterable {
  /// It measures the current between VIN and VOUT of somebody else's supply.
  case ampere
  /// It is the supply.
  case source
}

/// What a PPK2 can do.
///
/// Source: Nordic, pc-nrfconnect-ppk (src/device/abstractDevice.ts: voltages; README.md: samples) and the
/// product page (1 A).
enum PPK2Limits {
  /// Of its own supply.
  static let millivolts = 800...5000
  /// In amperes.
  static let current = 0.0...1.0
  /// Samples a second.
  static let rate = 100_000.0
  /// From sample to sample, in nanoseconds.
  static let period: Int64 = 10_000
}
