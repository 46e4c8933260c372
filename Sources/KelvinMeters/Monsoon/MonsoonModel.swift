/// Which of the two monitors it is; the numbers are those that it says.
///
/// Source, where nothing else is named: msoon/PyMonsoon, Monsoon/{HVPM,LVPM,sampleEngine}.py.
package enum MonsoonModel: UInt32, Sendable, Hashable, CaseIterable {
  case lvpm = 1
  case hvpm = 2

  var name: String { self == .lvpm ? "LVPM" : "HVPM" }

  /// What it supplies, in volts.
  ///
  /// Of the HVPM PyMonsoon checks nothing; below 0.8 V it is not officially supported, and beyond
  /// 13.5 V it trips (Android's ACTS, monsoon_lib/api/hvpm/monsoon.py).
  var voltages: ClosedRange<Double> { self == .lvpm ? 2.01...4.55 : 0.8...13.5 }

  /// Up to what its current limits go, in amperes (Monsoon/Operations.py, statusPacket).
  var greatestLimit: Double { self == .lvpm ? 8 : 15 }

  /// Whether the codes of currents are signed.
  var isSigned: Bool { self == .lvpm }
  /// The greatest code of a current.
  var greatestCode: Int32 { isSigned ? Int32(Int16.max) : Int32(UInt16.max) }

  /// From this code on the fine input of a current says nothing any more, and the coarse one is taken.
  func fineThreshold(_ site: MonsoonSite) -> Int32 {
    self == .lvpm || site == .aux ? 30_000 : 64_000
  }

  /// Volts a code.
  func voltageStep(_ site: MonsoonSite) -> Double {
    self == .hvpm && site == .main ? 62.5e-6 * 4 : 62.5e-6 * 2
  }

  /// What a current limit is sent as, rounded down as PyMonsoon does it.
  ///
  /// PyMonsoon's Operations.py has another formula for the HVPM in a comment; this is the one that its
  /// HVPM.py uses.
  func raw(amperes: Double) -> UInt32 {
    switch self {
    case .hvpm: UInt32((65_535 - 3840) * (amperes / 15.625) + 3840)
    case .lvpm: UInt32(1023 * (1 - amperes / 8))
    }
  }

  /// The same backwards.
  func amperes(raw: UInt32) -> Double {
    switch self {
    case .hvpm: 15.625 * (Double(raw) - 3840) / (65_535 - 3840)
    case .lvpm: 8 * (1 - Double(min(raw, 1023)) / 1023)
    }
  }

  /// Whether the supply was calibrated: some HVPMs left the factory without, and may then give far more
  /// than what is set (PyMonsoon, HVPM.checkDacValues). Nobody says so of the LVPM.
  func hasSafeSupply(low: UInt32, high: UInt32) -> Bool {
    self == .lvpm
      || (0xd001...0xefff).contains(low) && (0xc001...0xcfff).contains(high)
  }

  /// Sent to set a voltage.
  static func raw(volts: Double) -> UInt32 { UInt32(volts * 1_048_576) }
  /// The same backwards.
  static func volts(raw: UInt32) -> Double { Double(raw) / 1_048_576 }

  /// In nanoseconds: 5,000 samples a second (PyMonsoon's examples take 3,000,000 for ten minutes).
  static let period: Int64 = 200_000
  static let rate = 5000.0
  /// From one of its own calibrations to the next, in milliseconds: PyMonsoon's default.
  static let calibrationTime: UInt16 = 1250
}

/// A place where a Monsoon measures.
package enum MonsoonSite: Int, Sendable, Hashable, CaseIterable {
  /// The supply's output.
  case main
  /// The USB port at the front, while it is connected through.
  case usb
  /// The auxiliary input. No voltage belongs to it.
  case aux

  var name: String {
    switch self {
    case .main: "main"
    case .usb: "usb"
    case .aux: "aux"
    }
  }

  /// The inputs of its current: each is converted twice, coarse and fine.
  var coarse: Int { 2 * rawValue }
  var fine: Int { 2 * rawValue + 1 }
  /// The place of its voltage in a sample.
  var voltage: Int? { self == .aux ? nil : 6 + rawValue }
}
