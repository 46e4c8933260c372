/// CRC-32C (Castagnoli), reflected polynomial 0x82F63B78, as iSCSI (RFC 3720) and JLS have it.
enum CRC32C {
  private static let tables: [[UInt32]] = {
    var tables = [[UInt32]](repeating: [UInt32](repeating: 0, count: 256), count: 8)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
      tables[0][byte] = value
    }
    for byte in 0..<256 {
      for table in 1..<8 {
        let before = tables[table - 1][byte]
        tables[table][byte] = before >> 8 ^ tables[0][Int(before & 0xFF)]
      }
    }
    return tables
  }()

  /// The checksum of bytes, eight at a time.
  static func of(_ bytes: some ContiguousBytesLike) -> UInt32 {
    bytes.withBytes { bytes in
      var crc: UInt32 = 0xFFFF_FFFF
      var position = 0
      while bytes.count - position >= 8 {
        let word =
          UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
          ^ UInt64(crc)
        crc = 0
        for byte in 0..<8 { crc ^= tables[7 - byte][Int(word >> UInt64(byte * 8) & 0xFF)] }
        position += 8
      }
      while position < bytes.count {
        crc = crc >> 8 ^ tables[0][Int(UInt8(truncatingIfNeeded: crc) ^ bytes[position])]
        position += 1
      }
      return ~crc
    }
  }
}

/// What lies in memory in one piece.
protocol ContiguousBytesLike {
  func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R
}

extension [UInt8]: ContiguousBytesLike {
  func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R { withUnsafeBytes(body) }
}

extension ArraySlice<UInt8>: ContiguousBytesLike {
  func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R { withUnsafeBytes(body) }
}
