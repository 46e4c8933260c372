internal import CLibCrypto

/// What a POWER-Z wants enciphered: AES-128, block by block, under keys that all of them share.
///
/// Keys and layouts: okhsunrog/km003c-protocol-research, docs/features/authentication.md. They keep nobody out;
/// without them the meter refuses its queue.
enum KM003CCipher {
  private static let memoryKey = Array("Lh2yfB7n6X7d9a5Z".utf8)
  private static let authenticationKey = Array("Fa0b4tA25f4R038a".utf8)
  static let blockSize = 16

  /// A request for memory: address, size, four bytes of ones, the CRC-32 of these twelve, and ones.
  ///
  /// - Returns: 32 bytes; nil when libcrypto has no AES.
  static func memoryRequest(address: UInt32, size: UInt32) -> [UInt8]? {
    var plain = little(address) + little(size) + little(.max)
    plain += little(checksum(plain))
    plain += [UInt8](repeating: 0xff, count: 32 - plain.count)
    return run(plain, memoryKey, encrypts: true)
  }

  /// What came of memory, in the clear; nil unless it is whole blocks.
  static func memory(_ bytes: [UInt8]) -> [UInt8]? { run(bytes, memoryKey, encrypts: false) }

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
    return run(time + hardware + filling, authenticationKey, encrypts: true)
  }

  /// CRC-32 as zlib has it (ISO-HDLC: polynomial 04C11DB7 reflected, all bits inverted before and after).
  static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var rest = UInt32.max
    for byte in bytes {
      rest ^= UInt32(byte)
      for _ in 0..<8 { rest = rest & 1 == 1 ? rest >> 1 ^ 0xedb8_8320 : rest >> 1 }
    }
    return ~rest
  }

  private static func little(_ word: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) }
  }

  private static func run(_ bytes: [UInt8], _ key: [UInt8], encrypts: Bool) -> [UInt8]? {
    guard bytes.count % blockSize == 0, let context = EVP_CIPHER_CTX_new() else { return nil }
    defer { EVP_CIPHER_CTX_free(context) }
    var result = [UInt8](repeating: 0, count: bytes.count)
    var count = Int32(0)
    guard
      EVP_CipherInit_ex(context, EVP_aes_128_ecb(), nil, key, nil, encrypts ? 1 : 0) == 1,
      EVP_CIPHER_CTX_set_padding(context, 0) == 1,
      EVP_CipherUpdate(context, &result, &count, bytes, Int32(bytes.count)) == 1,
      Int(count) == bytes.count
    else { return nil }
    return result
  }
}
