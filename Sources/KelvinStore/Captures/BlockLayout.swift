internal import KelvinModel

/// How samples lie in blocks, from version 5 of the schema on.
///
/// A channel's samples are numbered; block n has those from n · 8192 on, the last one what there is so
/// far. A block has groups of 128 samples, the last one fewer. Table `groups` has what is known of each
/// group, table `blocks` the samples themselves: of each group first the times, then the codes, each as
/// its distance from the group's smallest in as many whole bytes as the largest takes. 14-bit noise takes
/// 2 bytes a sample that way, and a constant nothing; packing by bits would save a quarter of a byte for
/// twice the time, zstd's level 1 a tenth for four times (docs/benchmarks.md).
enum BlockLayout {
  static let blockCount = 8192
  static let groupCount = 128
  /// The first byte of both blobs; blocks before version 5 begin with zstd's 0x28.
  static let format: UInt8 = 1
  /// The second byte of the groups' blob: how times are kept.
  static let eachTime: UInt8 = 0
  static let regularTimes: UInt8 = 1
}

/// Times at equal distances: number n is anchor + round((offset + n) · step).
struct RegularTimes: Hashable {
  var anchor: Int64
  var step: Double
  var offset: Int

  subscript(index: Int) -> Int64 {
    anchor &+ Int64((Double(offset + index) * step).rounded())
  }

  /// Whether `count` times from the anchor on can be computed, and ascend.
  func isSound(count: Int) -> Bool {
    guard step >= 0, offset >= 0, offset <= 1 << 40, count >= 0, count <= 1 << 40 else {
      return false
    }
    let length = Double(offset + count) * step
    guard length < 0x1p62 else { return false }
    return !anchor.addingReportingOverflow(Int64(length.rounded())).overflow
  }

  /// Whether whole nanoseconds apart, so that every time can be the anchor.
  var isWhole: Bool { step == step.rounded() }

  /// As blocks are handed out: regular when that gives the very same times.
  func times(count: Int) -> SampleTimes {
    if offset == 0 { return .regular(first: anchor, step: step, count: count) }
    if isWhole { return .regular(first: self[0], step: step, count: count) }
    return .each((0..<count).map { self[$0] })
  }
}

/// Times of a group on the straight line from its first to its last, in whole nanoseconds; what is kept
/// of each time is its distance from the line.
struct TimeLine {
  private var time: Int64
  private let step: UInt64
  private let remainder: UInt64
  private let parts: UInt64
  private var rest: UInt64 = 0

  init(first: Int64, span: UInt64, count: Int) {
    time = first
    parts = UInt64(Swift.max(1, count - 1))
    (step, remainder) = span.quotientAndRemainder(dividingBy: parts)
  }

  /// The next time on the line, the first one first.
  mutating func next() -> Int64 {
    defer {
      time &+= Int64(bitPattern: step)
      rest &+= remainder
      if rest >= parts {
        rest &-= parts
        time &+= 1
      }
    }
    return time
  }
}
