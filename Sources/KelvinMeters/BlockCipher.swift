internal import CLibCrypto

/// AES in blocks of their own (ECB), without padding, by OpenSSL's libcrypto: what some meters hide their words with,
/// under keys that all of them share.
enum BlockCipher {
  /// Of a block, in bytes.
  static let size = 16

  /// - Parameters:
  ///   - bytes: whole blocks, at least one.
  ///   - key: of 16 or 32 bytes.
  /// - Returns: as many bytes; nil where it gets others, or libcrypto has no such cipher.
  static func run(_ bytes: [UInt8], key: [UInt8], encrypts: Bool) -> [UInt8]? {
    guard !bytes.isEmpty, bytes.count.isMultiple(of: size), [16, 32].contains(key.count),
      let context = EVP_CIPHER_CTX_new()
    else { return nil }
    defer { EVP_CIPHER_CTX_free(context) }
    let cipher = key.count == 16 ? EVP_aes_128_ecb() : EVP_aes_256_ecb()
    // libcrypto asks for room for a block more.
    var result = [UInt8](repeating: 0, count: bytes.count + size)
    var count: Int32 = 0
    guard EVP_CipherInit_ex(context, cipher, nil, key, nil, encrypts ? 1 : 0) == 1,
      EVP_CIPHER_CTX_set_padding(context, 0) == 1,
      EVP_CipherUpdate(context, &result, &count, bytes, Int32(bytes.count)) == 1,
      Int(count) == bytes.count
    else { return nil }
    result.removeLast(size)
    return result
  }
}
