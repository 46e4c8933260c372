/// One packet of a boot loader's answer.
///
/// Source: Android's fastboot/README.md, "Transport and Framing": four letters, then text or, after
/// DATA, eight hexadecimal digits; 64 bytes at most in old versions, 256 in newer ones.
enum FastbootReply: Sendable, Hashable {
  /// Done; with a value for some commands.
  case okay([UInt8])
  /// Refused; with the reason.
  case fail([UInt8])
  /// A line to show; more follows.
  case info([UInt8])
  /// Text to show as it is; more follows.
  case text([UInt8])
  /// So many bytes are expected, or will be sent.
  case data(UInt32)

  /// No reply is longer.
  static let limit = 256

  /// Reads a packet; nil when it is none.
  init?(_ packet: [UInt8]) {
    guard packet.count >= 4, packet.count <= FastbootReply.limit else { return nil }
    let rest = Array(packet[4...])
    switch String(decoding: packet[..<4], as: UTF8.self) {
    case "OKAY": self = .okay(rest)
    case "FAIL": self = .fail(rest)
    case "INFO": self = .info(rest)
    // TEXT ends with a zero byte.
    case "TEXT": self = .text(Array(rest.prefix { $0 != 0 }))
    case "DATA":
      guard let count = FastbootReply.hexadecimal(rest) else { return nil }
      self = .data(count)
    default: return nil
    }
  }

  /// Exactly eight digits: what is shorter was cut.
  private static func hexadecimal(_ digits: [UInt8]) -> UInt32? {
    guard digits.count == 8,
      digits.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") })
    else { return nil }
    return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
  }
}
