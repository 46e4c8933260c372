internal import CLinux

/// The checksum that cksum(1) prints: CRC-32 with polynomial 0x04C11DB7, most significant bit first,
/// over the bytes and then their number (POSIX.1-2017, cksum). Quick enough to be taken on the way.
struct PosixChecksum {
  private var register: UInt32 = 0
  private(set) var count: UInt64 = 0

  /// As cksum prints it.
  var value: UInt32 {
    var copy = self
    var length = count
    while length != 0 {
      withUnsafeBytes(of: UInt8(truncatingIfNeeded: length)) { copy.update($0) }
      length >>= 8
    }
    return ~copy.register
  }

  /// Takes the next bytes.
  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    count += UInt64(bytes.count)
    withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { folded in
      guard let base = bytes.baseAddress, let out = folded.baseAddress else { return }
      let done = kelvin_cksum_fold(
        register, base, bytes.count, out.assumingMemoryBound(to: UInt8.self))
      if done > 0 {
        register = 0
        take(UnsafeRawBufferPointer(folded))
      }
      take(UnsafeRawBufferPointer(rebasing: bytes[done...]))
    }
  }

  /// Takes the next bytes, of which only cksum's own words are known.
  mutating func append(_ value: UInt32, count: UInt64) {
    // What cksum took last was the number of bytes, its lowest byte first.
    var piece = ~value
    var digits: [UInt8] = []
    var length = count
    while length != 0 {
      digits.append(UInt8(truncatingIfNeeded: length))
      length >>= 8
    }
    for digit in digits.reversed() { piece = PosixChecksum.undone(piece, byte: digit) }
    // Bytes that follow multiply the register by x to the power of their bits, modulo the polynomial.
    var power: UInt32 = 1
    var square: UInt32 = 0x100
    var rest = count
    while rest != 0 {
      if rest & 1 == 1 { power = PosixChecksum.product(power, square) }
      square = PosixChecksum.product(square, square)
      rest >>= 1
    }
    register = PosixChecksum.product(register, power) ^ piece
    self.count += count
  }

  private static let polynomial: UInt32 = 0x04c1_1db7

  /// The register before it took a byte.
  private static func undone(_ register: UInt32, byte: UInt8) -> UInt32 {
    var register = register
    for _ in 0..<8 {
      let bit = register & 1
      register = (register ^ (bit == 1 ? polynomial : 0)) >> 1 | bit << 31
    }
    return register ^ UInt32(byte) << 24
  }

  private static func product(_ first: UInt32, _ second: UInt32) -> UInt32 {
    var result: UInt32 = 0
    for bit in (0..<32).reversed() {
      result = result << 1 ^ (result >> 31 == 1 ? polynomial : 0)
      if second >> bit & 1 == 1 { result ^= first }
    }
    return result
  }

  private mutating func take(_ bytes: UnsafeRawBufferPointer) {
    register = PosixChecksum.tables.withUnsafeBufferPointer { tables in
      var register = register
      var index = 0
      // Eight bytes a step: what each does to the register after the others is in a table of its own.
      while index + 8 <= bytes.count {
        let first =
          register
          ^ UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self))
        let second = UInt32(
          bigEndian: bytes.loadUnaligned(fromByteOffset: index + 4, as: UInt32.self))
        register =
          tables[0x700 + Int(first >> 24)] ^ tables[0x600 + Int(first >> 16 & 0xff)]
          ^ tables[0x500 + Int(first >> 8 & 0xff)] ^ tables[0x400 + Int(first & 0xff)]
        register ^=
          tables[0x300 + Int(second >> 24)] ^ tables[0x200 + Int(second >> 16 & 0xff)]
          ^ tables[0x100 + Int(second >> 8 & 0xff)] ^ tables[Int(second & 0xff)]
        index += 8
      }
      while index < bytes.count {
        register = register << 8 ^ tables[Int(register >> 24 ^ UInt32(bytes[index]))]
        index += 1
      }
      return register
    }
  }

  /// Table n: what a byte that n bytes follow adds.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 0x800)
    for byte in 0..<0x100 {
      var register = UInt32(byte) << 24
      for _ in 0..<8 { register = register << 1 ^ (register >> 31 == 1 ? polynomial : 0) }
      tables[byte] = register
    }
    for index in 0x100..<0x800 {
      let before = tables[index - 0x100]
      tables[index] = before << 8 ^ tables[Int(before >> 24)]
    }
    return tables
  }()
}
