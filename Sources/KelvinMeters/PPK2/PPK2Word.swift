/// A sample of a PPK2 as it is sent: 32 bits, the lowest byte first.
///
/// Bits 0 to 13 hold what the converter says, 14 to 16 the range, 18 to 23 a counter of samples, 24 to 31
/// the digital inputs. Bit 17 is 0. Source: pc-nrfconnect-ppk, src/device/serialDevice.ts (MEAS_...);
/// ppk2lab, docs/protocol-spec.md (bit 17).
struct PPK2Word: Sendable, Hashable {
  let bits: UInt32

  @inline(__always)
  init(_ bits: UInt32) { self.bits = bits }

  static let size = 4
  /// Of the counter.
  static let modulus: UInt32 = 64
  /// What the converter says when it can say no more.
  static let greatest: UInt32 = 0x3fff

  var adc: UInt32 { bits & 0x3fff }
  var range: Int { Int(truncatingIfNeeded: bits >> 14 & 7) }
  var counter: UInt32 { bits >> 18 & 63 }
  var inputs: UInt8 { UInt8(truncatingIfNeeded: bits >> 24) }
  /// Whether a PPK2 can have sent this.
  var isPossible: Bool { bits & 0x2_0000 == 0 && range < PPK2Calibration.rangeCount }
}
