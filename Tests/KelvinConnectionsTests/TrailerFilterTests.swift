import Testing

@testable import KelvinConnections

struct TrailerFilterTests {
  /// Feeds the parts one after the other.
  static func filter(_ parts: [ArraySlice<UInt8>]) -> (output: String, status: Int32?) {
    var filter = TrailerFilter(nonce: "nonce")
    var output: [UInt8] = []
    for part in parts { output += Self.take(part, &filter) }
    output += filter.flush()
    return (String(decoding: output, as: UTF8.self), filter.trailer?.status)
  }

  private static func take(
    _ part: ArraySlice<UInt8>, _ filter: inout TrailerFilter
  ) -> [UInt8] {
    switch part.withUnsafeBytes({ filter.take($0) }) {
    case .prefix(let count): Array(part.prefix(count))
    case .bytes(let bytes): bytes
    }
  }

  @Test(
    arguments: [
      ("out nonce 5\n\u{1e}nonce 7\n", "out nonce 5\n", 7), ("out\u{1e}nonce 0\n", "out", 0),
      ("\u{1e}nonce 255\n", "", 255), ("a\n\u{1e}nonce 7\n", "a\n", 7),
      ("\u{1e}non\u{1e}nonce 12\nlate", "\u{1e}nonlate", 12),
      ("\u{1e}nonce x\n", "\u{1e}nonce x\n", nil),
      ("\u{1e}nonce 1", "\u{1e}nonce 1", nil), ("nonce 1\n", "nonce 1\n", nil), ("", "", nil),
      ("\u{1e}nonce 1\n\u{1e}nonce 2\n", "\u{1e}nonce 2\n", 1),
      ("\u{1e}nonce x\n\u{1e}nonce 4\n", "\u{1e}nonce x\n", 4),
      ("\u{1e}nonce -1\n", "\u{1e}nonce -1\n", nil)
    ] as [(String, String, Int32?)])
  func findsTheLineWhereverTheBytesAreSplit(stream: String, output: String, status: Int32?) {
    let bytes = Array(stream.utf8)
    for split in 0...bytes.count {
      let result = Self.filter([bytes[..<split], bytes[split...]])
      #expect(result.output == output, "split at \(split)")
      #expect(result.status == status, "split at \(split)")
    }
    let single = Self.filter(bytes.indices.map { bytes[$0..<($0 + 1)] })
    #expect(single.output == output)
    #expect(single.status == status)
  }

  @Test func holdsNothingBackThatCannotBeTheLine() {
    var filter = TrailerFilter(nonce: "nonce")
    #expect(Self.take(Array("abc\n".utf8)[...], &filter) == Array("abc\n".utf8))
    #expect(Self.take(Array("d\u{1e}".utf8)[...], &filter) == Array("d".utf8))
    #expect(Self.take(Array("x".utf8)[...], &filter) == Array("\u{1e}x".utf8))
  }

  @Test func theLineSaysAWordAboutTheStatus() {
    var filter = TrailerFilter(nonce: "nonce")
    _ = Self.take(Array("\u{1e}nonce 137 s\n".utf8)[...], &filter)
    #expect(filter.trailer == TrailerFilter.Trailer(status: 137, word: "s"))
  }

  @Test func aLineThatIsTooLongIsOutput() {
    let stream = "\u{1e}nonce " + String(repeating: "1", count: 100_000) + "\n\u{1e}nonce 3\n"
    let bytes = Array(stream.utf8)
    let result = Self.filter(
      stride(from: 0, to: bytes.count, by: 1000).map {
        bytes[$0..<min($0 + 1000, bytes.count)]
      })
    #expect(result.status == 3)
    #expect(result.output.utf8.count == bytes.count - 9)
  }
}
