import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// Sparse images that lie.
@Suite(.timeLimit(.minutes(2)))
struct SparseReaderTests {
  private let scratch = try? Scratch()

  private func open(_ bytes: [UInt8]) throws -> FlashImage {
    let scratch = try #require(scratch)
    try scratch.write("x.simg", bytes)
    return try FlashImage("\(scratch.path)/x.simg", until: .after(seconds: 20))
  }

  private func word(_ number: UInt32) -> [UInt8] { (0..<4).map { UInt8(number >> (8 * $0) & 255) } }

  /// An image of six blocks of 512 bytes: two of data, one filled, one skipped, two of data.
  private func good(
    blockSize: UInt32 = 512, blocks: UInt32 = 6, chunks: UInt32 = 4, checksum: UInt32 = 0,
    sizes: [UInt32] = [2, 1, 1, 2], tail: [UInt8] = []
  ) -> [UInt8] {
    var bytes = word(0xed26_ff3a) + [1, 0, 0, 0, 28, 0, 12, 0]
    bytes += word(blockSize) + word(blocks) + word(chunks) + word(checksum)
    bytes += [0xc1, 0xca, 0, 0] + word(sizes[0]) + word(12 + 1024)
    bytes += (0..<1024).map { UInt8(truncatingIfNeeded: $0) }
    bytes += [0xc2, 0xca, 0, 0] + word(sizes[1]) + word(16) + [1, 2, 3, 4]
    bytes += [0xc3, 0xca, 0, 0] + word(sizes[2]) + word(12)
    bytes += [0xc1, 0xca, 0, 0] + word(sizes[3]) + word(12 + 1024)
    bytes += [UInt8](repeating: 7, count: 1024)
    return bytes + tail
  }

  private var expanded: [UInt8] {
    var bytes = (0..<1024).map { UInt8(truncatingIfNeeded: $0) }
    for _ in 0..<128 { bytes += [1, 2, 3, 4] }
    bytes += [UInt8](repeating: 0, count: 512)
    return bytes + [UInt8](repeating: 7, count: 1024)
  }

  private func crc(_ bytes: [UInt8]) -> UInt32 {
    var crc = CRC32()
    bytes.withUnsafeBytes { crc.add($0) }
    return crc.value
  }

  @Test func readsWhatIsThere() throws {
    let layout = try #require(try open(good()).sparse)
    #expect(layout.size == 3072)
    #expect(layout.extents.map(\.count) == [2, 1, 1, 2])
    #expect(layout.extents.map(\.start) == [0, 2, 3, 4])
    #expect(layout.extents[0].content == .file(offset: 40))
    #expect(layout.extents[1].content == .fill([1, 2, 3, 4]))
    #expect(layout.extents[2].content == .skip)
  }

  @Test func checksChecksums() throws {
    let right = crc(expanded)
    _ = try open(good(checksum: right))
    let chunk = { (value: UInt32) in
      [0xc4, 0xca, 0, 0] + self.word(0) + self.word(16) + self.word(value)
    }
    _ = try open(good(chunks: 5, tail: chunk(right)))
    for bytes in [good(checksum: right ^ 1), good(chunks: 5, tail: chunk(right &+ 1))] {
      let failure = #expect(throws: ImageFailure.self) { try open(bytes) }
      #expect(failure?.kind == .configuration)
      #expect(failure?.message.contains("checksum of its first 6 blocks") == true)
    }
    // Data that changed on the way.
    var damaged = good(checksum: right)
    damaged[300] ^= 0x20
    #expect(throws: ImageFailure.self) { try open(damaged) }
  }

  /// Petabytes that are skipped or filled are checked without going through them.
  @Test func checksHugeFillsAtOnce() throws {
    var bytes = word(0xed26_ff3a) + [1, 0, 0, 0, 28, 0, 12, 0]
    bytes += word(4096) + word(0x4000_0000) + word(2) + word(1)
    bytes += [0xc2, 0xca, 0, 0] + word(0x2000_0000) + word(16) + [1, 2, 3, 4]
    bytes += [0xc3, 0xca, 0, 0] + word(0x2000_0000) + word(12)
    let failure = #expect(throws: ImageFailure.self) { try open(bytes) }
    #expect(failure?.message.contains("checksum") == true)
  }

  @Test(
    arguments: [
      ("blockSize", "no multiple of four"), ("noBlockSize", "no multiple of four"),
      ("blocks", "its header says 7"), ("fewerBlocks", "beyond the 5 blocks"),
      ("chunks", "ends before chunk 4"), ("manyChunks", "chunks in"),
      ("overlap", "says that it is 1036 bytes long"), ("huge", "bytes beyond the file's end"),
      ("version", "of version 2"), ("headers", "headers of"), ("type", "unknown type 0xbeef"),
      ("petabytes", "4294967295 blocks of 4294967292 bytes")
    ])
  func refuses(what: String, problem: String) throws {
    var bytes = good()
    switch what {
    case "blockSize": bytes = good(blockSize: 514)
    case "noBlockSize": bytes = good(blockSize: 0)
    case "blocks": bytes = good(blocks: 7)
    case "fewerBlocks": bytes = good(blocks: 5)
    case "chunks": bytes = good(chunks: 5)
    case "manyChunks": bytes = good(chunks: .max)
    case "overlap": bytes = good(sizes: [1, 1, 1, 3])
    case "huge": bytes = good(blockSize: 4096, blocks: .max, sizes: [.max, 1, 1, 2])
    case "version": bytes[4] = 2
    case "headers": bytes[8] = 27
    case "type": bytes.replaceSubrange(28..<30, with: [0xef, 0xbe])
    default: bytes = good(blockSize: 0xffff_fffc, blocks: .max)
    }
    let failure = #expect(throws: ImageFailure.self) { try open(bytes) }
    #expect(failure?.kind == .configuration)
    #expect(failure?.message.contains("is a broken sparse image: ") == true)
    #expect(failure?.message.contains(problem) == true, "\(failure?.message ?? "")")
  }

  @Test func refusesEveryTruncation() throws {
    let bytes = good()
    for count in 4..<bytes.count {
      #expect(throws: ImageFailure.self, "\(count) bytes") { try open(Array(bytes[..<count])) }
    }
    #expect(throws: ImageFailure.self) { try open([]) }
  }

  @Test func survivesDamageAtEveryByte() throws {
    let bytes = good(checksum: crc(expanded))
    var numbers = SeededGenerator(seed: 5)
    for index in bytes.indices {
      var damaged = bytes
      damaged[index] ^= UInt8(truncatingIfNeeded: numbers.next() | 1)
      do {
        let image = try open(damaged)
        guard image.isSparse else {
          #expect(index < 4)
          continue
        }
        // Only what means nothing may differ: minor version, reserved words, and the checksum when it
        // has become 0, which is none.
        #expect(image.expandedSize == 3072, "byte \(index)")
        #expect(
          index < 28 || [30, 31, 1066, 1067, 1082, 1083, 1094, 1095].contains(index), "\(index)")
        for part in try image.parts(limit: 1200, until: .after(seconds: 5)) {
          #expect(part.byteCount <= 1200)
        }
      } catch let failure as ImageFailure {
        #expect(failure.kind == .configuration)
      }
    }
  }

  @Test func survivesHostileHeaders() throws {
    var numbers = SeededGenerator(seed: 9)
    let hostile: [UInt32] = [0, 1, 4, 512, 0x7fff_ffff, 0x8000_0000, 0xffff_fffc, 0xffff_ffff]
    var refused = 0
    for _ in 0..<3000 {
      var bytes = good()
      for _ in 0..<2 {
        let places = [8, 12, 16, 20, 24, 32, 36, 1068, 1072, 1084, 1088, 1096, 1100]
        let place = places[Int(numbers.next() % UInt64(places.count))]
        bytes.replaceSubrange(
          place..<place + 4, with: word(hostile[Int(numbers.next() % UInt64(hostile.count))]))
      }
      do {
        let image = try open(bytes)
        #expect(image.expandedSize <= 1 << 50)
      } catch is ImageFailure { refused += 1 }
    }
    #expect(refused > 2000)
  }
}
