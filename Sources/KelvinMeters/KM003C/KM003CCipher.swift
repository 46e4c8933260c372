internal import KelvinConnections

/// What a POWER-Z wants enciphered: AES-128, block by block, under keys that all of them share.
///
/// Keys and layouts: okhsunrog/km003c-protocol-research, docs/features/authentication.md. They keep nobody out;
/// without them the meter refuses its queue.
enum KM003CCipher {
  private static let memoryKey = Array("Lh2yfB7n6X7d9a5Z".utf8)
  private static let authenticationKey = Array("Fa0b4tA25f4R038a".utf8)

  /// A request for memory: address, size, four bytes of ones, the CRC-32 of these twelve, and ones.
  ///
  /// - Returns: 32 bytes; nil when libcrypto has no AES.
  static func memoryRequest(address: UInt32, size: UInt32) -> [UInt8]? {
    var plain = little(address) + little(size) + little(.max)
    plain += little(checksum(plain))
    plain += [UInt8](repeating: 0xff, count: 32 - plain.count)
    return BlockCipher.run(plain, key: memoryKey, encrypts: true)
  }

  /// What came of memory, in the clear; nil unless it is whole blocks.
  static func memory(_ bytes: [UInt8]) -> [UInt8]? {
    BlockCipher.run(bytes, key: memoryKey, encrypts: false)
  }

  /// A request to be let at the queue: a time and a filling, at which it does not look, around what its memory
  /// says of its hardware.
  ///
  /// - Parameters:
  ///   - hardware: 12 bytes.
  ///   - filling: 12 bytes.
  /// - Returns: 32 bytes; nil when libcrypto has no AES.
  static func authentication(
    _ hardware: [UInt8], milliseconds: UInt64, filling: [UInt8]
  ) -> [UInt8]? {
    guard hardware.count == 12, filling.count == 12 else { return nil }
    let time =
      little(UInt32(truncatingIfNeeded: milliseconds))
      + little(UInt32(truncatingIfNeeded: milliseconds >> 32))
    return BlockCipher.run(time + hardware + filling, key: authenticationKey, encrypts: true)
  }

  /// CRC-32 as zlib has it.
  static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var sum = CRC32()
    bytes.withUnsafeBytes { sum.add($0) }
    return sum.value
  }

  private static func little(_ word: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) }
  }
}
