/// What a run of samples of one channel comes to; codes as the channel counts them, times on the
/// meter's clock.
struct SampleSummary: Hashable {
  /// Times of the first and the last sample, in nanoseconds.
  var first: Int64
  var last: Int64
  var min: Int64
  var max: Int64
  /// Of the codes.
  var sum: Double
  /// Of the code over time, by trapezoids from each sample to the next, in codes times nanoseconds.
  /// The one from the sample before the first belongs to it; those over a gap are left out.
  var integral: Double
  /// The time that the integral covers, in nanoseconds.
  var covered: UInt64

  /// The summary of these samples and those right after them.
  func joined(with next: SampleSummary) -> SampleSummary {
    SampleSummary(
      first: first, last: next.last, min: Swift.min(min, next.min), max: Swift.max(max, next.max),
      sum: sum + next.sum, integral: integral + next.integral, covered: covered &+ next.covered)
  }
}

/// One sample.
struct SamplePoint: Hashable {
  var time: Int64
  var code: Int64

  /// The area of the trapezoid to the next sample, in codes times nanoseconds.
  func area(to next: SamplePoint) -> Double {
    (Double(code) + Double(next.code)) / 2 * Double(UInt64(bitPattern: next.time &- time))
  }
}

/// Times between which nothing was measured, on the meter's clock.
struct Gap: Hashable {
  var from: Int64
  var to: Int64
}

extension [Gap] {
  /// Whether one of them lies between two times.
  func touch(from: Int64, to: Int64) -> Bool { contains { $0.from < to && $0.to > from } }
}

/// The pyramid of summaries above blocks: an entry of level 1 is of 8 groups of a block, one of each
/// further level of 8 entries below it. 64 entries are a row of table `summaries`, which is written
/// once, when it is full.
enum Pyramid {
  static let fanOut = 8
  static let entriesPerRow = 64
  static let entrySize = 56
  /// 128 · 8^19 samples exceed 2^63.
  static let topLevel = 18

  /// Samples of an entry.
  static func samples(level: Int) -> Int64 { Int64(BlockLayout.groupCount) << (3 * level) }

  /// The blob of a row: the entries, seven little-endian words each, and a checksum.
  static func encode(_ entries: ArraySlice<SampleSummary>) -> ByteBuffer {
    var buffer = ByteBuffer(capacity: entries.count * entrySize + 8)
    for entry in entries {
      buffer.append(word: UInt64(bitPattern: entry.first))
      buffer.append(word: UInt64(bitPattern: entry.last))
      buffer.append(word: UInt64(bitPattern: entry.min))
      buffer.append(word: UInt64(bitPattern: entry.max))
      buffer.append(entry.sum)
      buffer.append(entry.integral)
      buffer.append(word: entry.covered)
    }
    buffer.seal(seed: 0)
    return buffer
  }

  /// Whether a blob is a whole row.
  static func isWhole(_ row: [UInt8]) -> Bool {
    row.count == entriesPerRow * entrySize + 8 && row.isSealed(seed: 0)
  }

  /// An entry of a whole row.
  static func entry(_ index: Int, of row: [UInt8]) -> SampleSummary {
    let start = index * entrySize
    return SampleSummary(
      first: Int64(bitPattern: row.word(at: start)),
      last: Int64(bitPattern: row.word(at: start + 8)),
      min: Int64(bitPattern: row.word(at: start + 16)),
      max: Int64(bitPattern: row.word(at: start + 24)),
      sum: Double(bitPattern: row.word(at: start + 32)),
      integral: Double(bitPattern: row.word(at: start + 40)), covered: row.word(at: start + 48))
  }
}
