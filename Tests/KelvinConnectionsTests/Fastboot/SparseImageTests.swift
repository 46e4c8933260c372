import Glibc
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// Sparse images: made, read, split, and judged by Debian's simg2img where it is installed.
@Suite(.timeLimit(.minutes(2)))
struct SparseImageTests {
  private let scratch = try? Scratch()
  private var deadline: Deadline { .after(seconds: 60) }

  static let hasTools =
    access("/usr/bin/simg2img", X_OK) == 0 && access("/usr/bin/img2simg", X_OK) == 0

  private func open(_ bytes: [UInt8], _ name: String = "x.img") throws -> FlashImage {
    let scratch = try #require(scratch)
    try scratch.write(name, bytes)
    return try FlashImage("\(scratch.path)/\(name)", until: deadline)
  }

  /// All bytes of a part.
  private func bytes(of part: SparsePart, _ image: FlashImage, chunk: Int = 1000) throws -> [UInt8]
  {
    var reader = PieceReader(part, of: image.file)
    var buffer = [UInt8](repeating: 0, count: chunk)
    var bytes: [UInt8] = []
    while true {
      let count = try reader.fill(&buffer)
      if count == 0 { return bytes }
      bytes += buffer[..<count]
    }
  }

  /// What sparse images do to a partition, by their own rules, written for this test alone.
  private func expand(_ parts: [[UInt8]], onto partition: inout [UInt8]) throws {
    for part in parts {
      let word = { (at: Int) in (0..<4).reduce(0) { $0 | Int(part[at + $1]) << (8 * $1) } }
      #expect(word(0) == 0xed26_ff3a)
      let (size, chunks) = (word(12), word(20))
      #expect(size * word(16) == (partition.count + size - 1) / size * size)
      var (position, block) = (28, 0)
      for _ in 0..<chunks {
        let count = word(position + 4)
        let total = word(position + 8)
        let payload = Array(part[position + 12..<position + total])
        switch word(position) {
        case 0xcac1:
          #expect(payload.count == count * size)
          for (index, byte) in payload.enumerated() where block * size + index < partition.count {
            partition[block * size + index] = byte
          }
        case 0xcac2:
          for index in 0..<count * size where block * size + index < partition.count {
            partition[block * size + index] = payload[index % 4]
          }
        case 0xcac3: #expect(payload.isEmpty)
        default: Issue.record("a chunk of type \(word(position))")
        }
        block += count
        position += total
      }
      #expect(position == part.count)
      #expect(block == word(16))
    }
  }

  /// Blocks of data, of zeros, of another word, and a last one that is not whole.
  private func mixture(_ blocks: Int, tail: Int, seed: UInt64) -> [UInt8] {
    var numbers = SeededGenerator(seed: seed)
    var bytes: [UInt8] = []
    for _ in 0..<blocks {
      switch numbers.next() % 4 {
      case 0: bytes += [UInt8](repeating: 0, count: 4096)
      case 1: for _ in 0..<1024 { bytes += [1, 2, 3, 4] }
      default: bytes += numbers.bytes(4096)
      }
    }
    return bytes + numbers.bytes(tail)
  }

  @Test(arguments: [(5, 0, 4200), (40, 0, 30_000), (64, 100, 8250), (60, 4095, 100_000)])
  func splitsRawImages(blocks: Int, tail: Int, limit: Int) throws {
    let bytes = mixture(blocks, tail: tail, seed: UInt64(blocks))
    let image = try open(bytes)
    #expect(!image.isSparse)
    let parts = try image.parts(limit: Int64(limit), until: deadline)
    #expect(parts.count > 1)
    #expect(parts.allSatisfy { $0.byteCount <= Int64(limit) })
    let downloads = try parts.map { try self.bytes(of: $0, image) }
    #expect(zip(parts, downloads).allSatisfy { $0.byteCount == Int64($1.count) })
    // Whatever was there before must be gone: nothing of a raw image is skipped.
    var partition = [UInt8](repeating: 0xee, count: bytes.count)
    try expand(downloads, onto: &partition)
    #expect(partition == bytes)
  }

  @Test func sendsSmallImagesAsTheyAre() throws {
    let bytes = mixture(3, tail: 5, seed: 1)
    let image = try open(bytes)
    for limit in [Int64(bytes.count), 1 << 30, nil] {
      let parts = try image.parts(limit: limit, until: deadline)
      #expect(parts.count == 1)
      #expect(try self.bytes(of: parts[0], image) == bytes)
    }
  }

  @Test(arguments: [1, 40, 68, 4147]) func refusesLimitsBelowABlock(limit: Int64) throws {
    let image = try open(mixture(3, tail: 0, seed: 2) + FastbootTests.noise(4096))
    let failure = #expect(throws: ConnectionFailure.self) {
      try image.parts(limit: limit, until: deadline)
    }
    #expect(failure?.code == .unsupported)
  }

  @Test(.enabled(if: hasTools, "needs Debian's android-sdk-libsparse-utils"))
  func agreesWithDebiansTools() throws {
    let scratch = try #require(scratch)
    let bytes = mixture(600, tail: 0, seed: 11)
    let raw = try open(bytes, "raw.img")
    // Theirs is read, and split again.
    try FastbootTests.run("img2simg", "\(scratch.path)/raw.img", "\(scratch.path)/their.simg")
    let their = try FlashImage("\(scratch.path)/their.simg", until: deadline)
    #expect(their.isSparse)
    #expect(their.expandedSize == Int64(bytes.count))
    for (name, image) in [("raw", raw), ("their", their)] {
      let parts = try image.parts(limit: 300_000, until: deadline)
      #expect(parts.count > 3)
      var names: [String] = []
      for (index, part) in parts.enumerated() {
        names.append("\(scratch.path)/\(name).\(index)")
        try scratch.write("\(name).\(index)", self.bytes(of: part, image, chunk: 1 << 16))
      }
      try FastbootTests.run("simg2img", names + ["\(scratch.path)/\(name).out"])
      #expect(try Checksum.sha256(ofFile: "\(scratch.path)/\(name).out") == Checksum.sha256(bytes))
    }
  }
}
