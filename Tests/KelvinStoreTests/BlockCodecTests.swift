import KelvinModel
import Testing

@testable import KelvinStore

struct BlockCodecTests {
  let directory = TemporaryDirectory()

  private static func block(_ times: [Int64], _ codes: [Int64]) -> SampleBlock {
    SampleBlock(channel: 0, times: times, codes: codes)
  }

  static let blocks: [SampleBlock] = {
    var generator = SeededGenerator(seed: 3)
    let jitter = (0..<5000).map {
      Int64($0) * 1_000_000 + Int64.random(in: 0...9999, using: &generator)
    }
    return [
      block([5], [-7]),
      block([.min, 0, .max], [.max, .min, .max]),
      block([0, 0, 0], [1, 1, 1]),
      block(jitter, jitter.map { $0 % 977 - 400 }),
      block(Array(0..<4000), (0..<4000).map { _ in Int64(bitPattern: generator.next()) })
    ]
  }()

  /// A block under a name: thousands of values would be written into the record of each test run.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let block: SampleBlock

    init(_ name: String, _ block: SampleBlock) { (testDescription, self.block) = (name, block) }
  }

  static let cases = zip(["one sample", "the limits", "no change", "jitter", "noise"], blocks).map {
    Case($0, $1)
  }

  @Test(arguments: cases) func givesBackWhatWasCompressed(_ example: Case) throws {
    let block = example.block
    let data = try BlockCompressor().compress(block)
    let decoded = try #require(decompressBlock(data, count: block.times.count))
    #expect(decoded.times == block.times.array)
    #expect(decoded.codes == block.codes)
    #expect(decompressBlock(data, count: block.times.count + 1) == nil)
    #expect(decompressBlock(data, count: block.times.count - 1) == nil)
  }

  @Test func takesLittleForASteadySignal() throws {
    let data = try BlockCompressor().compress(Self.blocks[3])
    // Times with 10 us of jitter and codes below 1000: 16 bytes a sample raw.
    #expect(data.count < 5000 * 4)
  }

  @Test func survivesTruncationAtEachByte() throws {
    let block = Self.blocks[3]
    let small = SampleBlock(
      channel: 0, times: Array(block.times.prefix(200)), codes: Array(block.codes.prefix(200)))
    let data = try BlockCompressor().compress(small)
    for length in 0..<data.count {
      #expect(decompressBlock(Array(data.prefix(length)), count: 200) == nil)
    }
    #expect(decompressBlock(data + [0], count: 200) == nil)
  }

  @Test func noticesCorruptionAtEachByte() throws {
    let block = Self.blocks[3]
    let small = SampleBlock(
      channel: 0, times: Array(block.times.prefix(200)), codes: Array(block.codes.prefix(200)))
    let data = try BlockCompressor().compress(small)
    for index in data.indices {
      for bit in 0..<8 {
        var damaged = data
        damaged[index] ^= 1 << bit
        // A flipped bit that zstd ignores leaves the content as it is, and nothing else passes.
        if let decoded = decompressBlock(damaged, count: 200) {
          #expect(
            decoded.times == small.times.array && decoded.codes == small.codes, "byte \(index)")
        }
      }
    }
  }

  @Test func refusesHostileSizes() throws {
    let data = try BlockCompressor().compress(Self.blocks[0])
    for count in [0, -1, .min, .max, 1 << 40, maximumBlockCount + 1] {
      #expect(decompressBlock(data, count: count) == nil)
    }
    // A frame header that claims 2^60 bytes.
    let bomb: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1, 0, 0]
    #expect(decompressBlock(bomb, count: 1000) == nil)
    #expect(decompressBlock([], count: 1) == nil)
  }

  @Test func keepsCaptures() throws {
    let store = try RunStore.create(
      at: directory("run"), run: makeRun(), plan: makePlan(), life: deadLife)
    let attempt = try store.beginAttempt(job: 0, number: 1, startedWallNanoseconds: 1)
    let channels = [
      Channel(name: "power", unit: "W", scale: 1e-6), Channel(name: "n", unit: "")
    ]
    let capture = try store.beginCapture(attempt: attempt, source: "hwmon", channels: channels)
    let blocks = Self.blocks.filter { $0.times.first != .min }
    for block in blocks { try store.append(capture: capture, blocks: [block]) }
    try store.append(
      capture: capture,
      blocks: [
        SampleBlock(channel: 1, times: [1, 2, 3], codes: [10, 20, 60]),
        SampleBlock(channel: 1, times: [], codes: [])
      ])
    let reader = try RunReader(directory: directory("run"))
    var record = try #require(try reader.captures(ofAttempt: attempt).first)
    #expect(record.channels == channels)
    #expect(record.source == "hwmon")
    #expect(record.summary == nil)
    try store.endCapture(capture, summary: ["ticks": 3])
    record = try #require(try reader.captures(ofAttempt: attempt).first)
    #expect(record.summary == ["ticks": 3])
    #expect(try reader.captures(ofAttempt: nil).isEmpty)
    #expect(try reader.blocks(ofCapture: capture, channel: 0) == blocks)
    #expect(
      try reader.blocks(ofCapture: capture, channel: 1)
        == [SampleBlock(channel: 1, times: [1, 2, 3], codes: [10, 20, 60])])
    if hasTool("sqlite3") {
      let summary = shell(
        """
        sqlite3 \(directory("run"))/run.db "SELECT attempt, source, channel, unit, first_ns, \
        last_ns, count, min, mean, max FROM block_summaries WHERE channel = 'n'"
        """)
      #expect(summary.output == "1|hwmon|n||1|3|3|10.0|30.0|60.0\n")
    }
  }

  @Test(arguments: [
    Case("a time without a code", block([1, 2], [1])),
    Case("times that go back", block([2, 1], [1, 1])),
    Case("a channel too high", SampleBlock(channel: 7, times: [1], codes: [1])),
    Case("a channel below zero", SampleBlock(channel: -1, times: [1], codes: [1])),
    Case(
      "too many samples",
      block(Array(0...Int64(maximumBlockCount)), Array(0...Int64(maximumBlockCount))))
  ])
  func refusesBlocksThatDoNotFit(_ example: Case) throws {
    let store = try RunStore.create(
      at: directory("run"), run: makeRun(), plan: makePlan(), life: deadLife)
    let capture = try store.beginCapture(
      attempt: nil, source: "s", channels: [Channel(name: "c", unit: "")])
    expectFailure(.misuse) {
      // All or nothing.
      try store.append(capture: capture, blocks: [Self.blocks[0], example.block])
    }
    let reader = try RunReader(directory: directory("run"))
    #expect(try reader.blocks(ofCapture: capture, channel: 0).isEmpty)
  }
}
