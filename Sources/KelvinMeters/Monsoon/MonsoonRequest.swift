internal import KelvinDevices

/// What can be read of a Monsoon and, most of it, set: by a number each.
///
/// Source: msoon/PyMonsoon, Monsoon/Operations.py (OpCodes). Asked for a value that can be set, it says
/// what it was set to (Android's ACTS, monsoon_lib/api/hvpm/monsoon.py).
enum MonsoonValue: UInt8, Sendable, Hashable, CaseIterable {
  /// Volts · 2²⁰; 0: the output is off.
  case mainVoltage = 0x41
  /// Of the first moments after the output was switched on, and of all others: see
  /// ``MonsoonModel/raw(amperes:)``.
  case powerUpLimit = 0x43
  case runLimit = 0x44
  /// ``MonsoonPassthrough``.
  case usbPassthrough = 0x10
  /// What the two voltages of a sample are; 0: those of main and USB.
  case voltageChannel = 0x23
  case serialNumber = 0x42
  /// ``MonsoonModel``.
  case model = 0x45
  case firmware = 0xc0
  case protocolVersion = 0xc1
  /// Bit 7: it samples; from firmware 26 on.
  case status = 0xc4
  /// References that the supply's converter was calibrated with: see ``MonsoonModel/hasSafeSupply(low:high:)``.
  case dacLow = 0x88
  case dacHigh = 0x89

  /// HVPM: currents at the reference, in mA (coarse) or µA (fine).
  case mainFineScale = 0x1a
  case mainCoarseScale = 0x1b
  case usbFineScale = 0x1c
  case usbCoarseScale = 0x1d
  case auxFineScale = 0x1e
  case auxCoarseScale = 0x1f
  /// HVPM: what is added to the zeros that it measures, signed.
  case mainFineZero = 0x25
  case mainCoarseZero = 0x26
  case usbFineZero = 0x27
  case usbCoarseZero = 0x28

  /// LVPM: shunts are 50 mΩ and this many times 0.1 mΩ, signed.
  case mainFineResistor = 0x02
  case mainCoarseResistor = 0x11
  case usbFineResistor = 0x0d
  case usbCoarseResistor = 0x12

  /// The bytes of its four-byte answer that mean something (PyMonsoon's getValue).
  var size: Int {
    switch self {
    case .mainVoltage: 4
    case .usbPassthrough, .voltageChannel, .protocolVersion, .status, .mainFineResistor,
      .mainCoarseResistor, .usbFineResistor, .usbCoarseResistor:
      1
    default: 2
    }
  }

  /// Of an answer, or of what is to be set, the part that means something.
  func part(_ answer: UInt32) -> UInt32 {
    size == 4 ? answer : answer & (1 << UInt32(8 * size) - 1)
  }
}

/// Whether the USB port at the front is connected through to the one at the back.
enum MonsoonPassthrough: String, Sendable, Hashable, CaseIterable {
  case off
  case on
  /// Off while it samples.
  case auto

  /// Source: PyMonsoon, Monsoon/Operations.py (USB_Passthrough).
  var raw: UInt32 {
    switch self {
    case .off: 0
    case .on: 1
    case .auto: 2
    }
  }
}

/// Requests to a Monsoon: control transfers of the vendor's type to the device.
///
/// Source: PyMonsoon, Monsoon/pmapi.py (sendCommand, getValue, startSampling, stopSampling).
enum MonsoonRequest {
  /// Four bytes, the lowest first.
  static let answerSize = 4
  /// The answer to what cannot be answered now (Monsoon/Operations.py, ReturnCodes).
  static let error: UInt32 = 0xffff_fffe
  /// Samples without end.
  static let endless: UInt32 = 0xffff_ffff

  static func get(_ value: MonsoonValue) -> USBControlSetup {
    USBControlSetup(0xc0, 0x01, index: UInt16(value.rawValue))
  }

  /// The number is there twice: 24 bits of it in the setup, and all of it as data.
  static func set(_ value: MonsoonValue, _ number: UInt32) -> (USBControlSetup, [UInt8]) {
    let third = UInt16(truncatingIfNeeded: number >> 16) & 0xff
    return (
      USBControlSetup(
        0x40, 0x01, value: UInt16(truncatingIfNeeded: number),
        index: third << 8 | UInt16(value.rawValue)),
      bytes(number)
    )
  }

  /// - Parameter calibration: from one calibration to the next, in milliseconds.
  static func start(
    calibration: UInt16, samples: UInt32 = endless
  ) -> (USBControlSetup, [UInt8]) {
    (USBControlSetup(0x40, 0x02, value: calibration), bytes(samples))
  }

  static let stop = USBControlSetup(0x40, 0x03)

  static func number(_ answer: [UInt8]) -> UInt32? {
    guard answer.count == answerSize else { return nil }
    return answer.reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  private static func bytes(_ number: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> UInt32(8 * $0)) }
  }
}
