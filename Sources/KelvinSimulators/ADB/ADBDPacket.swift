/// A message between host and device (AOSP protocol.txt): six words of 32 bits, then the payload.
struct ADBDPacket: Sendable {
  enum Command: UInt32, Sendable {
    case cnxn = 0x4E58_4E43
    case auth = 0x4854_5541
    case open = 0x4E45_504F
    case okay = 0x5941_4B4F
    case clse = 0x4553_4C43
    case wrte = 0x4554_5257
    case stls = 0x534C_5453
  }
  static let headSize = 24
  var command: Command
  var first: UInt32
  var second: UInt32
  var payload: [UInt8] = []

  /// All bytes of it; the check is the sum of the payload's bytes.
  func bytes(checks: Bool) -> [UInt8] {
    let sum = checks ? payload.reduce(UInt32(0)) { $0 &+ UInt32($1) } : 0
    let words = [
      command.rawValue, first, second, UInt32(payload.count), sum, ~command.rawValue
    ]
    return words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
      + payload
  }

  /// What a head of 24 bytes announces; nil when it is none.
  static func head(
    _ bytes: [UInt8]
  ) -> (packet: ADBDPacket, length: Int, check: UInt32)? {
    let words = (0..<6).map { index in
      (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[index * 4 + $1]) << UInt32($1 * 8) }
    }
    guard let command = Command(rawValue: words[0]), words[5] == ~words[0], words[3] <= 1 << 20
    else { return nil }
    return (
      ADBDPacket(command: command, first: words[1], second: words[2]), Int(words[3]), words[4]
    )
  }
}
