internal import CLibMD

/// The checksum that both ends of a console channel compute: with what the board has.
///
/// A check is a word without blanks, as the board's tool prints it first.
package enum ConsoleCheck: String, Sendable, CaseIterable {
  /// POSIX cksum: CRC-32 with the polynomial 0x04C11DB7, most significant bit first, over the bytes
  /// and then their count, complemented (POSIX.1-2017, XCU cksum); in decimal.
  case cksum
  /// MD5 in lower-case hex, where there is no cksum.
  case md5sum

  /// The check of some bytes.
  package func word(of bytes: some Sequence<UInt8>) -> [UInt8] {
    switch self {
    case .cksum: return Array(String(ConsoleCheck.crc(bytes)).utf8)
    case .md5sum:
      let array = Array(bytes)
      var context = MD5_CTX()
      MD5Init(&context)
      MD5Update(&context, array, array.count)
      var digest = [UInt8](repeating: 0, count: 16)
      MD5Final(&digest, &context)
      return ConsoleCheck.hex(digest)
    }
  }

  /// A check that is taken piece by piece.
  struct Running {
    private let check: ConsoleCheck
    private var sum = PosixChecksum()
    private var digest = MD5_CTX()

    init(_ check: ConsoleCheck) {
      self.check = check
      MD5Init(&digest)
    }

    mutating func update(_ bytes: [UInt8]) {
      switch check {
      case .cksum: bytes.withUnsafeBytes { sum.update($0) }
      case .md5sum: MD5Update(&digest, bytes, bytes.count)
      }
    }

    /// The word for all that came so far.
    var word: [UInt8] {
      switch check {
      case .cksum: return Array(String(sum.value).utf8)
      case .md5sum:
        var copy = digest
        var bytes = [UInt8](repeating: 0, count: 16)
        MD5Final(&bytes, &copy)
        return ConsoleCheck.hex(bytes)
      }
    }
  }

  private static func hex(_ bytes: [UInt8]) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    return bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index) << 24) { value, _ in
      value & 0x8000_0000 == 0 ? value << 1 : value << 1 ^ 0x04C1_1DB7
    }
  }

  /// What POSIX cksum gives.
  package static func crc(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var crc: UInt32 = 0
    var count = 0
    for byte in bytes {
      crc = crc << 8 ^ table[Int(crc >> 24 ^ UInt32(byte))]
      count += 1
    }
    while count > 0 {
      crc = crc << 8 ^ table[Int(crc >> 24 ^ UInt32(count & 0xFF))]
      count >>= 8
    }
    return ~crc
  }
}
