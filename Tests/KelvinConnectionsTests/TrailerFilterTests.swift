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
      ("out nonce 5\n\nnonce 7\n", "out nonce 5\n", 7), ("out\nnonce 0\n", "out", 0),
      ("\nnonce 255\n", "", 255), ("a\n\nnonce 7\n", "a\n", 7),
      ("\nnon\nnonce 12\nlate", "\nnonlate", 12), ("\nnonce x\n", "\nnonce x\n", nil),
      ("\nnonce 1", "\nnonce 1", nil), ("nonce 1\n", "nonce 1\n", nil), ("", "", nil),
      ("\nnonce 1\n\nnonce 2\n", "\nnonce 2\n", 1),
      ("\nnonce x\n\nnonce 4\n", "\nnonce x\n", 4), ("\nnonce -1\n", "\nnonce -1\n", nil)
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
    #expect(Self.take(Array("abc\n".utf8)[...], &filter) == Array("abc".utf8))
    #expect(Self.take(Array("x".utf8)[...], &filter) == Array("\nx".utf8))
  }

  @Test func theLineSaysAWordAboutTheStatus() {
    var filter = TrailerFilter(nonce: "nonce")
    _ = Self.take(Array("\nnonce 137 s\n".utf8)[...], &filter)
    #expect(filter.trailer == TrailerFilter.Trailer(status: 137, word: "s"))
  }

  @Test func aLineThatIsTooLongIsOutput() {
    let stream = "\nnonce " + String(repeating: "1", count: 100_000) + "\n\nnonce 3\n"
    let bytes = Array(stream.utf8)
    let result = Self.filter(
      stride(from: 0, to: bytes.count, by: 1000).map {
        bytes[$0..<min($0 + 1000, bytes.count)]
      })
    #expect(result.status == 3)
    #expect(result.output.utf8.count == bytes.count - 9)
  }
}
