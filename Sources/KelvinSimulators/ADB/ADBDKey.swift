/// A host's public key as the simulated device reads it, and its own arithmetic: RSA with 2048 bits
/// and exponent 65537.
struct ADBDKey: Sendable {
  /// Least significant word first.
  private let modulus: [UInt32]

  /// Reads the text that a host shows: base64 of a structure of 524 bytes, a blank, a comment (AOSP
  /// android_pubkey.h): words of 32 bits: 64, -1/n mod 2^32, n, 2^4096 mod n, 65537.
  init?(text: [UInt8]) {
    let base64 = text.prefix { $0 != 32 && $0 != 0 && $0 != 10 }
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for digit in base64 where digit != UInt8(ascii: "=") {
      guard let value = alphabet.firstIndex(of: digit) else { return nil }
      bits = bits << 6 | UInt32(value)
      count += 6
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    guard bytes.count == 524 else { return nil }
    let words = (0..<131).map { index in
      (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[index * 4 + $1]) << UInt32($1 * 8) }
    }
    // The inverse must fit, or a real device would refuse the key.
    guard words[0] == 64, words[130] == 65_537, words[1] &* words[2] == UInt32.max else {
      return nil
    }
    modulus = Array(words[2..<66])
  }

  /// Whether a signature is one of this key over a token, which stands for a SHA-1 digest (PKCS#1
  /// v1.5).
  func verifies(_ signature: [UInt8], _ token: [UInt8]) -> Bool {
    guard signature.count == 256, token.count == 20 else { return false }
    let base = (0..<64).map { index in
      (0..<4).reduce(UInt32(0)) { $0 | UInt32(signature[255 - index * 4 - $1]) << UInt32($1 * 8) }
    }
    var power = base
    for _ in 0..<16 { power = multiplied(power, power) }
    power = multiplied(power, base)
    let prefix: [UInt8] = [
      0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14
    ]
    let padding = [UInt8](repeating: 0xFF, count: 256 - 3 - prefix.count - token.count)
    let wanted = [0, 1] + padding + [0] + prefix + token
    let got = power.reversed().flatMap { word in
      [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
    }
    return got == wanted
  }

  /// a b mod n, by doubling and adding: slow, plain, and used twice a connection.
  private func multiplied(_ a: [UInt32], _ b: [UInt32]) -> [UInt32] {
    var result = [UInt32](repeating: 0, count: 64)
    for word in a.reversed() {
      for bit in stride(from: 31, through: 0, by: -1) {
        result = added(result, result)
        if word >> UInt32(bit) & 1 == 1 { result = added(result, b) }
      }
    }
    return result
  }

  /// a + b mod n, for two that are below n.
  private func added(_ a: [UInt32], _ b: [UInt32]) -> [UInt32] {
    var sum = [UInt32](repeating: 0, count: 64)
    var carry: UInt64 = 0
    for index in 0..<64 {
      carry += UInt64(a[index]) + UInt64(b[index])
      sum[index] = UInt32(truncatingIfNeeded: carry)
      carry >>= 32
    }
    var difference = [UInt32](repeating: 0, count: 64)
    var borrow: Int64 = 0
    for index in 0..<64 {
      let value = Int64(sum[index]) - Int64(modulus[index]) + borrow
      difference[index] = UInt32(truncatingIfNeeded: value)
      borrow = value >> 32
    }
    return carry == 1 || borrow == 0 ? difference : sum
  }
}
