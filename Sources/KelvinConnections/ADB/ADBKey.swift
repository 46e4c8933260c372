internal import CLibCrypto
internal import KelvinModel

/// An RSA key by which a device knows this host, by OpenSSL's libcrypto.
///
/// Immutable once made; libcrypto's keys may be used by several threads then.
final class ADBKey: @unchecked Sendable {
  private let key: OpaquePointer

  private init(_ key: OpaquePointer) { self.key = key }

  deinit { EVP_PKEY_free(key) }

  /// A key was not readable, or cannot be used.
  struct Mistake: Error {
    let text: String
  }

  /// Reads a private key in PEM, as adb keeps it. A key with a passphrase is refused: nobody could be
  /// asked.
  convenience init(pem: [UInt8]) throws(Mistake) {
    let read: OpaquePointer? = pem.withUnsafeBytes { bytes in
      guard let memory = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else { return nil }
      defer { BIO_free(memory) }
      // Without a callback the last argument is the passphrase: an empty one, so that libcrypto never
      // asks at the terminal.
      return "".withCString { empty in
        PEM_read_bio_PrivateKey(memory, nil, nil, UnsafeMutableRawPointer(mutating: empty))
      }
    }
    guard let read else { throw Mistake(text: "is no private key in PEM") }
    self.init(read)
    guard EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA, EVP_PKEY_get_bits(key) == 2048 else {
      throw Mistake(text: "is no RSA key of 2048 bits")
    }
  }

  /// Makes a new key.
  static func generate() throws(Mistake) -> ADBKey {
    guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nil) else {
      throw Mistake(text: "libcrypto has no RSA")
    }
    defer { EVP_PKEY_CTX_free(context) }
    var key: OpaquePointer?
    guard EVP_PKEY_keygen_init(context) == 1,
      EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048) == 1, EVP_PKEY_keygen(context, &key) == 1,
      let key
    else { throw Mistake(text: "libcrypto makes no RSA key") }
    return ADBKey(key)
  }

  /// The private key in PEM, PKCS#8, without a passphrase.
  func pem() throws(Mistake) -> [UInt8] {
    guard let memory = BIO_new(BIO_s_mem()) else { throw Mistake(text: "no memory") }
    defer { BIO_free(memory) }
    guard PEM_write_bio_PKCS8PrivateKey(memory, key, nil, nil, 0, nil, nil) == 1 else {
      throw Mistake(text: "libcrypto writes no PEM")
    }
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = BIO_read(memory, &bytes, Int32(bytes.count))
    guard count > 0 else { throw Mistake(text: "libcrypto writes no PEM") }
    return Array(bytes.prefix(Int(count)))
  }

  /// Signs a device's token, which stands for a SHA-1 digest (PKCS#1 v1.5).
  func sign(_ token: [UInt8]) throws(Mistake) -> [UInt8] {
    guard token.count == 20 else { throw Mistake(text: "a token of \(token.count) bytes") }
    // What says that a SHA-1 digest follows, DER; put here by hand, because libcrypto may be told not
    // to sign SHA-1 digests.
    let prefix: [UInt8] = [
      0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14
    ]
    let text = prefix + token
    var signature = [UInt8](repeating: 0, count: 256)
    var count = signature.count
    guard let context = EVP_PKEY_CTX_new(key, nil) else { throw Mistake(text: "no memory") }
    defer { EVP_PKEY_CTX_free(context) }
    guard EVP_PKEY_sign_init(context) == 1,
      EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1,
      EVP_PKEY_sign(context, &signature, &count, text, text.count) == 1, count == 256
    else { throw Mistake(text: "libcrypto does not sign with it") }
    return signature
  }

  /// The public key as devices keep it, in base64: words of 32 bits, little endian: 64, -1/n mod 2^32,
  /// n, 2^4096 mod n, the exponent (AOSP android_pubkey.h).
  func publicText() throws(Mistake) -> String {
    var modulus: OpaquePointer?
    var exponent: OpaquePointer?
    guard EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) == 1,
      EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1,
      let power = BN_new(), let rest = BN_new(), let context = BN_CTX_new()
    else { throw Mistake(text: "libcrypto does not tell its numbers") }
    defer {
      for number in [modulus, exponent, power, rest] { BN_free(number) }
      BN_CTX_free(context)
    }
    var n = [UInt8](repeating: 0, count: 256)
    var square = [UInt8](repeating: 0, count: 256)
    guard BN_bn2lebinpad(modulus, &n, 256) == 256, BN_set_bit(power, 4096) == 1,
      BN_div(nil, rest, power, modulus, context) == 1, BN_bn2lebinpad(rest, &square, 256) == 256
    else { throw Mistake(text: "libcrypto does not divide") }
    // Newton: each step doubles the bits that are right, and an odd number is its own inverse mod 8.
    let low = n.adb32(at: 0)
    var inverse = low
    for _ in 0..<4 { inverse = inverse &* (2 &- low &* inverse) }
    var bytes: [UInt8] = []
    bytes.appendADB(64)
    bytes.appendADB(0 &- inverse)
    bytes += n + square
    bytes.appendADB(UInt32(truncatingIfNeeded: BN_get_word(exponent)))
    var text = [UInt8](repeating: 0, count: 4 * ((bytes.count + 2) / 3) + 1)
    let count = EVP_EncodeBlock(&text, bytes, Int32(bytes.count))
    return String(decoding: text.prefix(Int(count)), as: UTF8.self)
  }
}
