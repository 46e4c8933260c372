import KelvinModel
import Testing

@testable import KelvinStore

struct BlockCodecTests {
  struct Sample: Sendable, CustomTestStringConvertible {
    var name: String
    var times: SampleTimes
    var codes: [Int64]
    var testDescription: String { name }
  }

  static let samples: [Sample] = {
    var generator = SeededGenerator(seed: 3)
    func jitter(_ count: Int) -> [Int64] {
      (0..<count).map { Int64($0) * 1_000_000 + Int64.random(in: 0...9999, using: &generator) }
    }
    func noise(_ count: Int, _ range: ClosedRange<Int64>) -> [Int64] {
      (0..<count).map { _ in Int64.random(in: range, using: &generator) }
    }
    var samples = [
      Sample(name: "one", times: .each([5]), codes: [-7]),
      Sample(
        name: "extremes", times: .each([.min, 0, .max]), codes: [.max, .min, .max]),
      Sample(name: "one moment", times: .each([0, 0, 0]), codes: [1, 1, 1]),
      Sample(name: "jitter", times: .each(jitter(5000)), codes: noise(5000, -400...576)),
      Sample(
        name: "regular", times: .regular(first: -50, step: 10_000, count: 8192),
        codes: noise(8192, 0...16383)),
      Sample(
        name: "fractions", times: .regular(first: 7, step: 20_833.333, count: 300),
        codes: noise(300, -8...7))
    ]
    // Every number of bytes, and both ends of it.
    for bits in 1...62 {
      samples.append(
        Sample(
          name: "\(bits) bits", times: .each(jitter(130)),
          codes: noise(129, -3...((1 << bits) - 4)) + [(1 << bits) - 4]))
    }
    return samples
  }()

  private static func encode(_ sample: Sample) -> (groups: [UInt8], data: [UInt8], SampleSummary) {
    var encoder = BlockEncoder()
    let times: BlockEncoder.Times =
      switch sample.times {
      case .each(let times): .each(times, from: 0)
      case .regular(let first, let step, _):
        .regular(RegularTimes(anchor: first, step: step, offset: 0))
      }
    let summary = encoder.encode(
      codes: sample.codes, from: 0, count: sample.codes.count, times: times, previous: nil, gaps: []
    )
    return (
      Array(encoder.groups.bytes.prefix(encoder.groups.count)),
      Array(encoder.data.bytes.prefix(encoder.data.count)), summary
    )
  }

  @Test(arguments: samples) func givesBackWhatWasEncoded(sample: Sample) throws {
    let (groups, data, summary) = Self.encode(sample)
    let decoder = try #require(BlockDecoder(groups: groups, count: sample.codes.count))
    let block = try #require(decoder.block(data, channel: 4))
    #expect(block == SampleBlock(channel: 4, times: sample.times, codes: sample.codes))
    #expect(summary.min == sample.codes.min())
    #expect(summary.max == sample.codes.max())
    #expect(summary.first == sample.times.first)
    #expect(summary.last == sample.times.last)
    let sum = sample.codes.reduce(0.0) { $0 + Double($1) }
    #expect(abs(summary.sum - sum) <= 1e-12 * sample.codes.reduce(0.0) { $0 + abs(Double($1)) })
    for group in decoder.groups {
      let codes = sample.codes[group.start..<group.start + group.count]
      #expect(group.summary.min == codes.min() && group.summary.max == codes.max())
      #expect(group.summary.first == sample.times[group.start])
      #expect(group.summary.last == sample.times[group.start + group.count - 1])
    }
    for count in [sample.codes.count - 1, sample.codes.count + 1] {
      #expect(BlockDecoder(groups: groups, count: count)?.block(data, channel: 0) == nil)
    }
  }

  @Test func takesTwoBytesForNoiseOf14Bits() throws {
    let (groups, data, _) = Self.encode(Self.samples[4])
    #expect(Double(groups.count + data.count) / 8192 < 2.25)
    // A constant at regular times takes nothing but its summaries.
    let constant = Self.encode(
      Sample(
        name: "", times: .regular(first: 0, step: 500, count: 8192),
        codes: Array(repeating: 12_345, count: 8192)))
    #expect(constant.data.count == 9)
    #expect(constant.groups.count < 64 * 32)
  }

  static let small: [Sample] = [
    Sample(
      name: "each", times: .each((0..<150).map { Int64($0 * $0) }),
      codes: (0..<150).map { Int64($0 * 7 % 300) }),
    Sample(
      name: "regular", times: .regular(first: 3, step: 2.5, count: 150),
      codes: (0..<150).map { Int64($0 * 7 % 300) })
  ]

  @Test(arguments: small) func survivesTruncationAtEachByte(sample: Sample) throws {
    let (groups, data, _) = Self.encode(sample)
    let decoder = try #require(BlockDecoder(groups: groups, count: 150))
    for length in 0..<groups.count {
      #expect(BlockDecoder(groups: Array(groups.prefix(length)), count: 150) == nil)
    }
    for length in 0..<data.count { #expect(!decoder.accepts(Array(data.prefix(length)))) }
    #expect(!decoder.accepts(data + [0]))
    #expect(BlockDecoder(groups: groups + [0], count: 150) == nil)
  }

  @Test(arguments: small) func noticesCorruptionAtEachByte(sample: Sample) throws {
    let (groups, data, _) = Self.encode(sample)
    let decoder = try #require(BlockDecoder(groups: groups, count: 150))
    for bit in 0..<8 {
      for index in groups.indices {
        var damaged = groups
        damaged[index] ^= 1 << bit
        #expect(BlockDecoder(groups: damaged, count: 150) == nil, "byte \(index)")
      }
      for index in data.indices {
        var damaged = data
        damaged[index] ^= 1 << bit
        #expect(!decoder.accepts(damaged), "byte \(index)")
      }
    }
    // Nor does one block's groups pass with another's samples.
    let other = Self.encode(
      Sample(name: "", times: sample.times, codes: sample.codes.map { $0 + 1 }))
    #expect(!decoder.accepts(other.data))
  }

  /// Blobs that somebody made with the right checksum, and wrong numbers.
  @Test func survivesHostileContent() throws {
    var generator = SeededGenerator(seed: 11)
    for sample in Self.small {
      let (groups, data, _) = Self.encode(sample)
      for _ in 0..<3000 {
        var buffer = ByteBuffer(capacity: groups.count + 8)
        let index = Int.random(in: 0..<groups.count - 8, using: &generator)
        for (position, byte) in groups.dropLast(8).enumerated() {
          buffer.append(
            position == index ? UInt8.random(in: 0...255, using: &generator) : byte)
        }
        buffer.seal(seed: 0)
        let hostile = Array(buffer.bytes.prefix(buffer.count))
        guard let decoder = BlockDecoder(groups: hostile, count: 150) else { continue }
        var body = ByteBuffer(capacity: data.count + 8)
        for byte in data.dropLast(8) { body.append(byte) }
        body.seal(seed: buffer.checksum)
        // Whatever it says, it says it of 150 samples.
        if let block = decoder.block(Array(body.bytes.prefix(body.count)), channel: 0) {
          #expect(block.codes.count == 150 && block.times.count == 150)
        }
      }
      for count in [0, -1, .min, .max, 1 << 40, BlockLayout.blockCount + 1] {
        #expect(BlockDecoder(groups: groups, count: count) == nil)
      }
    }
    #expect(BlockDecoder(groups: [], count: 1) == nil)
  }

  /// The specification's own values, and one of each branch.
  @Test func hashesAsTheSpecificationSays() {
    func hash(_ text: String) -> UInt64 { xxHash64(Array(text.utf8).span.bytes) }
    #expect(hash("") == 0xEF46_DB37_51D8_E999)
    #expect(hash("a") == 0xD24E_C4F1_A98C_6E5B)
    #expect(hash("abc") == 0x44BC_2CF5_AD77_0999)
    #expect(hash("Nobody inspects the spammish repetition") == 0xFBCE_A83C_8A37_8BF1)
  }
}
