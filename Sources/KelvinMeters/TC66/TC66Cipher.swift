/// What a TC66C hides its answers with: AES-256 in blocks of their own (ECB), under a key that all of them share.
enum TC66Cipher {
  /// Source: sigrokproject/libsigrok, src/hardware/rdtech-tc/protocol.c (AES_KEY); the same in PyPI's tc66-serial.
  private static let key: [UInt8] = [
    0x58, 0x21, 0xfa, 0x56, 0x01, 0xb2, 0xf0, 0x26, 0x87, 0xff, 0x12, 0x04, 0x62, 0x2a, 0x4f, 0xb0,
    0x86, 0xf4, 0x02, 0x60, 0x81, 0x6f, 0x9a, 0x0b, 0xa7, 0xf1, 0x06, 0x61, 0x9a, 0xb8, 0x72, 0x88
  ]

  /// The plain bytes of whole blocks; nil where these are none, or libcrypto has no such cipher.
  static func plain(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    BlockCipher.run(Array(bytes), key: key, encrypts: false)
  }
}
