import Testing

@testable import KelvinStore

/// Blocks of schemas before version 5: the one that the fixtures hold.
struct FirstBlockCodecTests {
  /// Of times 10, 20, 31 and codes 40000, 40500, 39000.
  static let block: [UInt8] = {
    let text = String(decoding: readFile(SchemaTests.fixtures + "/v4.sql") ?? [], as: UTF8.self)
    guard let line = text.split(separator: "\n").first(where: { $0.contains("INTO blocks") }),
      let start = line.firstRange(of: "X'")?.upperBound
    else { return [] }
    var digits = Array(line[start...].prefix { $0 != "'" })
    var bytes: [UInt8] = []
    while digits.count >= 2 {
      bytes.append(UInt8(String(digits.prefix(2)), radix: 16) ?? 0)
      digits.removeFirst(2)
    }
    return bytes
  }()

  @Test func isReadAsEver() throws {
    let (times, codes) = try #require(decompressBlock(Self.block, count: 3))
    #expect(times == [10, 20, 31])
    #expect(codes == [40_000, 40_500, 39_000])
    #expect(decompressBlock(Self.block, count: 2) == nil)
    #expect(decompressBlock(Self.block, count: 4) == nil)
  }

  @Test func survivesTruncationAndCorruptionAtEachByte() {
    for length in Self.block.indices {
      #expect(decompressBlock(Array(Self.block.prefix(length)), count: 3) == nil)
    }
    for index in Self.block.indices {
      for bit in 0..<8 {
        var damaged = Self.block
        damaged[index] ^= 1 << bit
        // A flipped bit that zstd ignores leaves the content as it is, and nothing else passes.
        if let decoded = decompressBlock(damaged, count: 3) {
          #expect(decoded.times == [10, 20, 31] && decoded.codes == [40_000, 40_500, 39_000])
        }
      }
    }
  }

  @Test func refusesHostileSizes() {
    for count in [0, -1, .min, .max, 1 << 40, maximumBlockCount + 1] {
      #expect(decompressBlock(Self.block, count: count) == nil)
    }
    // A frame header that claims 2^60 bytes.
    let bomb: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1, 0, 0]
    #expect(decompressBlock(bomb, count: 1000) == nil)
    #expect(decompressBlock([], count: 1) == nil)
  }
}
