/// The CRC of IEEE 802.3 (reflected polynomial 0xEDB88320), of bytes, and of long repetitions without
/// going through them.
package struct CRC32: Sendable, Hashable {
  /// Of what was added so far; of nothing: 0.
  package private(set) var value: UInt32 = 0

  package init() {}

  private static let polynomial: UInt32 = 0xedb8_8320

  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value >> 1 ^ (value & 1 == 0 ? 0 : polynomial) }
      tables[byte] = value
    }
    for index in 256..<(8 * 256) {
      let before = tables[index - 256]
      tables[index] = before >> 8 ^ tables[Int(before & 0xff)]
    }
    return tables
  }()

  /// Adds bytes.
  package mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var crc = ~value
    CRC32.tables.withUnsafeBufferPointer { tables in
      var index = 0
      let end = bytes.count - bytes.count % 8
      while index < end {
        let low =
          crc ^ UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self))
        let high = UInt32(
          littleEndian: bytes.loadUnaligned(fromByteOffset: index + 4, as: UInt32.self))
        crc = tables[1792 + Int(low & 0xff)] ^ tables[1536 + Int(low >> 8 & 0xff)]
        crc ^= tables[1280 + Int(low >> 16 & 0xff)] ^ tables[1024 + Int(low >> 24)]
        crc ^= tables[768 + Int(high & 0xff)] ^ tables[512 + Int(high >> 8 & 0xff)]
        crc ^= tables[256 + Int(high >> 16 & 0xff)] ^ tables[Int(high >> 24)]
        index += 8
      }
      while index < bytes.count {
        crc = crc >> 8 ^ tables[Int((crc ^ UInt32(bytes[index])) & 0xff)]
        index += 1
      }
    }
    value = ~crc
  }

  /// Adds a word of four bytes, as it stands in memory, so many times; any number takes the time of
  /// some hundred multiplications.
  mutating func add(_ word: [UInt8], times: UInt64) {
    precondition(word.count == 4)
    // Of the word's powers of two, from the lowest bit of the number of times on.
    var part = CRC32()
    word.withUnsafeBytes { part.add($0) }
    var length: UInt64 = 4
    var left = times
    while left > 0 {
      if left & 1 != 0 { append(part.value, length: length) }
      left >>= 1
      if left > 0 {
        part.append(part.value, length: length)
        length <<= 1
      }
    }
  }

  /// Adds bytes of which only the CRC and the number are known: multiplying by x to the power of eight
  /// times their number moves what was before over them.
  private mutating func append(_ other: UInt32, length: UInt64) {
    value = CRC32.multiply(CRC32.power(length &* 8), value) ^ other
  }

  /// A product of polynomials over GF(2) modulo the CRC's, with the bits reflected: bit 31 is x^0.
  private static func multiply(_ a: UInt32, _ b: UInt32) -> UInt32 {
    var product: UInt32 = 0
    var factor = b
    var bit: UInt32 = 1 << 31
    while bit != 0 {
      if a & bit != 0 { product ^= factor }
      factor = factor >> 1 ^ (factor & 1 == 0 ? 0 : polynomial)
      bit >>= 1
    }
    return product
  }

  /// x to a power.
  private static func power(_ exponent: UInt64) -> UInt32 {
    var result: UInt32 = 1 << 31
    var square: UInt32 = 1 << 30
    var left = exponent
    while left > 0 {
      if left & 1 != 0 { result = multiply(result, square) }
      square = multiply(square, square)
      left >>= 1
    }
    return result
  }
}
