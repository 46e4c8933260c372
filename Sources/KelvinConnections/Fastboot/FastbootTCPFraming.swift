/// The bytes that wrap fastboot on TCP.
///
/// Source: Android's fastboot/README.md, "TCP Protocol v1": each side begins with `FB` and two decimal
/// digits; the lower version is spoken. Then each message is its length, eight bytes, big-endian, and
/// its bytes.
enum FastbootTCPFraming {
  static let greeting = Array("FB01".utf8)
  static let headerSize = 8

  /// The other side's version; nil when this is no greeting. 0 is no version.
  static func version(_ bytes: [UInt8]) -> Int? {
    guard bytes.count == 4, bytes[0] == UInt8(ascii: "F"), bytes[1] == UInt8(ascii: "B") else {
      return nil
    }
    let digits = bytes[2...].map { Int($0) - 0x30 }
    guard digits.allSatisfy({ (0...9).contains($0) }) else { return nil }
    let version = digits[0] * 10 + digits[1]
    return version > 0 ? version : nil
  }

  /// A message's length before its bytes.
  static func header(_ count: Int) -> [UInt8] {
    (0..<headerSize).map { UInt8(truncatingIfNeeded: UInt64(count) >> UInt64(56 - 8 * $0)) }
  }

  /// The length in a header of eight bytes.
  static func length(_ header: [UInt8]) -> UInt64 {
    header.reduce(0) { $0 << 8 | UInt64($1) }
  }
}
