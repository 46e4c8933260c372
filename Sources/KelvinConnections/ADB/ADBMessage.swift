/// A message of adb's wire protocol: six words of 32 bits, little endian, then a payload (AOSP
/// protocol.txt, adb.h).
struct ADBMessage: Hashable, Sendable {
  enum Command: UInt32, Sendable {
    case connect = 0x4E58_4E43
    case auth = 0x4854_5541
    case open = 0x4E45_504F
    case okay = 0x5941_4B4F
    case close = 0x4553_4C43
    case write = 0x4554_5257
    case startTLS = 0x534C_5453
  }

  var command: Command
  var argument0: UInt32
  var argument1: UInt32
  var payload: [UInt8]

  init(_ command: Command, _ argument0: UInt32, _ argument1: UInt32, _ payload: [UInt8] = []) {
    self.command = command
    self.argument0 = argument0
    self.argument1 = argument1
    self.payload = payload
  }

  static let headerSize = 24
  /// What Kelvin says it speaks: checksums are skipped from here on.
  static let version: UInt32 = 0x0100_0001
  /// The version of devices that want checksums.
  static let versionWithChecks: UInt32 = 0x0100_0000
  /// The largest payload that AOSP knows.
  static let maximumPayload = 1 << 20
  /// What every device takes.
  static let smallestPayload = 4096

  /// All bytes of it.
  var encoded: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(ADBMessage.headerSize + payload.count)
    ADBMessage.appendHeader(
      to: &bytes, command, argument0, argument1, length: payload.count,
      check: ADBMessage.check(payload))
    return bytes + payload
  }

  static func appendHeader(
    to bytes: inout [UInt8], _ command: Command, _ argument0: UInt32, _ argument1: UInt32,
    length: Int, check: UInt32
  ) {
    bytes.appendADB(command.rawValue)
    bytes.appendADB(argument0)
    bytes.appendADB(argument1)
    bytes.appendADB(UInt32(length))
    bytes.appendADB(check)
    bytes.appendADB(~command.rawValue)
  }

  /// The sum of the bytes; the documents call it a CRC.
  static func check(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBufferPointer { $0.reduce(0) { $0 &+ UInt32($1) } }
  }

  /// A header as it was read.
  struct Header: Hashable, Sendable {
    let command: Command
    let argument0: UInt32
    let argument1: UInt32
    let length: Int
    let check: UInt32
  }

  /// Why bytes are no message.
  struct Mistake: Error, Hashable {
    let text: String
  }

  /// Reads 24 bytes.
  static func header(_ bytes: [UInt8]) throws(Mistake) -> Header {
    let word = bytes.adb32(at: 0)
    guard bytes.adb32(at: 20) == ~word else { throw Mistake(text: "a message without its magic") }
    guard let command = Command(rawValue: word) else {
      throw Mistake(text: "'\(ADBSyncID.text(word))' as a command")
    }
    let length = Int(bytes.adb32(at: 12))
    guard length <= maximumPayload else { throw Mistake(text: "a payload of \(length) bytes") }
    return Header(
      command: command, argument0: bytes.adb32(at: 4), argument1: bytes.adb32(at: 8),
      length: length, check: bytes.adb32(at: 16))
  }
}

/// What a device says of itself when it is connected: `device::ro.product.name=x;features=a,b`.
package struct ADBBanner: Hashable, Sendable {
  /// `device`, `recovery`, `bootloader`, `sideload`, `rescue`.
  package var kind: String
  package var properties: [String: String]
  package var features: Set<String>

  /// Reads a banner; what cannot be read is left out.
  init(_ bytes: [UInt8]) {
    let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    kind = parts.first.map(String.init) ?? ""
    properties = [:]
    for pair in (parts.count > 2 ? parts[2] : "").split(separator: ";") {
      let sides = pair.split(separator: "=", maxSplits: 1)
      if sides.count == 2 { properties[String(sides[0])] = String(sides[1]) }
    }
    features = Set((properties["features"] ?? "").split(separator: ",").map(String.init))
  }
}
