/// The server's framing: four hexadecimal digits of length, then as many bytes (AOSP OVERVIEW.TXT).
enum ADBText {
  static func encode(_ bytes: [UInt8]) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    return [12, 8, 4, 0].map { digits[(bytes.count >> $0) & 15] } + bytes
  }

  /// The length that four digits tell; nil when they are none.
  static func length(_ digits: [UInt8]) -> Int? {
    guard digits.count == 4 else { return nil }
    var value = 0
    for digit in digits {
      switch digit {
      case 0x30...0x39: value = value << 4 | Int(digit - 0x30)
      case 0x41...0x46: value = value << 4 | Int(digit - 0x41 + 10)
      case 0x61...0x66: value = value << 4 | Int(digit - 0x61 + 10)
      default: return nil
      }
    }
    return value
  }

  /// Bytes for a message: printable ASCII, the rest as \xNN.
  static func shown(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
      (32...126).contains(byte)
        ? String(UnicodeScalar(byte)) : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
  }
}
