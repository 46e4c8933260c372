import Testing

@testable import KelvinConnections

@Suite struct PosixChecksumTests {
  /// As `printf ... | cksum` of coreutils 9.1 prints them.
  @Test(
    arguments: [
      ("", 4_294_967_295), ("123456789", 930_766_865), ("a", 1_220_704_766)
    ] as [(String, UInt32)])
  func isThatOfCksum(text: String, value: UInt32) {
    let bytes = Array(text.utf8)
    for split in 0...bytes.count {
      var checksum = PosixChecksum()
      bytes[..<split].withUnsafeBytes { checksum.update($0) }
      bytes[split...].withUnsafeBytes { checksum.update($0) }
      #expect(checksum.value == value, "split at \(split)")
      #expect(checksum.count == bytes.count)
    }
  }

  /// Against the console's own, a byte at a time, at each length around those from which instructions of the
  /// processor help, and from any register.
  @Test func isTheSameAtEveryLength() {
    let bytes = (0..<700).map { UInt8(truncatingIfNeeded: ($0 &* 2_246_822_519) >> 13) }
    for first in [0, 1, 5] {
      for count in 0...(bytes.count - first) {
        var checksum = PosixChecksum()
        bytes[..<first].withUnsafeBytes { checksum.update($0) }
        bytes[first..<(first + count)].withUnsafeBytes { checksum.update($0) }
        #expect(checksum.value == ConsoleCheck.crc(bytes[..<(first + count)]), "\(first) \(count)")
      }
    }
  }

  @Test func manyBytesGiveTheSameInAnyPieces() {
    let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 11) }
    var whole = PosixChecksum()
    bytes.withUnsafeBytes { whole.update($0) }
    var single = PosixChecksum()
    for byte in bytes { withUnsafeBytes(of: byte) { single.update($0) } }
    #expect(whole.value == single.value)
  }

  /// Lengths of one, two and three bytes, and none.
  @Test func isPutTogetherFromWhatCksumSaysOfPieces() {
    let bytes = (0..<70_000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 9) }
    var whole = PosixChecksum()
    bytes.withUnsafeBytes { whole.update($0) }
    for ends in [[70_000], [0, 70_000], [1, 255, 256, 511, 512, 66_000, 70_000, 70_000]] {
      var together = PosixChecksum()
      var begin = 0
      for end in ends {
        var piece = PosixChecksum()
        bytes[begin..<end].withUnsafeBytes { piece.update($0) }
        together.append(piece.value, count: piece.count)
        begin = end
      }
      #expect(together.value == whole.value && together.count == whole.count, "\(ends)")
    }
    // The order of pieces matters, and so does each bit.
    var swapped = PosixChecksum()
    for range in [35_000..<70_000, 0..<35_000] {
      var piece = PosixChecksum()
      bytes[range].withUnsafeBytes { piece.update($0) }
      swapped.append(piece.value, count: piece.count)
    }
    #expect(swapped.value != whole.value)
  }
}
