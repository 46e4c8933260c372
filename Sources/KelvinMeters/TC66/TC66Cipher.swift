internal import CLibCrypto

/// What a TC66C hides its answers with: AES-256 in blocks of their own (ECB), under a key that all of them share. By
/// OpenSSL's libcrypto.
enum TC66Cipher {
  /// Source: sigrokproject/libsigrok, src/hardware/rdtech-tc/protocol.c (AES_KEY); the same in PyPI's tc66-serial.
  private static let key: [UInt8] = [
    0x58, 0x21, 0xfa, 0x56, 0x01, 0xb2, 0xf0, 0x26, 0x87, 0xff, 0x12, 0x04, 0x62, 0x2a, 0x4f, 0xb0,
    0x86, 0xf4, 0x02, 0x60, 0x81, 0x6f, 0x9a, 0x0b, 0xa7, 0xf1, 0x06, 0x61, 0x9a, 0xb8, 0x72, 0x88
  ]

  /// Of a block, in bytes.
  static let block = 16

  /// The plain bytes of whole blocks; nil where these are none, or libcrypto has no such cipher.
  static func plain(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    guard !bytes.isEmpty, bytes.count.isMultiple(of: block),
      let context = EVP_CIPHER_CTX_new()
    else { return nil }
    defer { EVP_CIPHER_CTX_free(context) }
    guard EVP_DecryptInit_ex(context, EVP_aes_256_ecb(), nil, key, nil) == 1,
      EVP_CIPHER_CTX_set_padding(context, 0) == 1
    else { return nil }
    // libcrypto asks for room for a block more.
    var plain = [UInt8](repeating: 0, count: bytes.count + block)
    var count: Int32 = 0
    let done = bytes.withUnsafeBufferPointer {
      EVP_DecryptUpdate(context, &plain, &count, $0.baseAddress, Int32($0.count))
    }
    guard done == 1, Int(count) == bytes.count else { return nil }
    plain.removeLast(block)
    return plain
  }
}
