/// Blocks of a definite length, as IEEE 488.2, 8.7.9, has them: `#`, a digit that says how many digits follow,
/// those digits, and as many bytes as they say: `#216` and sixteen bytes.
package enum SCPIBlock {
  /// How an answer begins.
  package enum Header: Sendable, Hashable {
    /// It takes more bytes to tell.
    case incomplete
    /// So many bytes from a place on.
    case block(start: Int, count: Int)
    /// No block; or one without a length (`#0`), whose end a TCP connection does not show; or one that is longer
    /// than anybody wants.
    case malformed
  }

  /// Reads the beginning of an answer.
  ///
  /// - Parameter limit: of bytes that are taken.
  package static func header(_ bytes: some Collection<UInt8>, limit: Int) -> Header {
    let head = Array(bytes.prefix(11))
    guard let first = head.first else { return .incomplete }
    guard first == UInt8(ascii: "#") else { return .malformed }
    guard head.count > 1 else { return .incomplete }
    guard (49...57).contains(head[1]) else { return .malformed }
    let digits = Int(head[1]) - 48
    let length = head.dropFirst(2).prefix(digits)
    guard length.allSatisfy({ (48...57).contains($0) }) else { return .malformed }
    guard length.count == digits else { return .incomplete }
    // Nine digits at most.
    let count = length.reduce(0) { $0 * 10 + Int($1) - 48 }
    return count <= limit ? .block(start: 2 + digits, count: count) : .malformed
  }

  /// Single floats, one after the other; nil when there are parts of one.
  ///
  /// - Parameter bigEndian: as `FORMat:BORDer NORMal` has them.
  package static func floats(_ bytes: [UInt8], bigEndian: Bool) -> [Float]? {
    guard bytes.count % 4 == 0 else { return nil }
    let raw = bytes.span.bytes
    return (0..<bytes.count / 4).map { place in
      // Within the bytes: their count was checked.
      let word = raw.unsafeLoadUnaligned(fromByteOffset: place * 4, as: UInt32.self)
      return Float(bitPattern: bigEndian ? UInt32(bigEndian: word) : UInt32(littleEndian: word))
    }
  }
}
