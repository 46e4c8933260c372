/// What the samples of a waveform say about the error of their trapezoids (docs/measurement.md).
struct WaveformSums: Sendable {
  /// Σ e², Σ e·e₁, Σ e·e₂, where e is how far a sample lies from the line between its neighbors, times
  /// its weight: joules squared. e₁ and e₂ are those of the sample before and the one before that.
  var square = 0.0
  var next = 0.0
  var afterNext = 0.0
  /// How many e there were.
  var joints = 0
  /// Σ (p₊₁ − p₋₁)²/4, in watts squared: what errors of time stamps cost.
  var slopes = 0.0
  /// Σ h², in seconds squared.
  var steps = 0.0
  var panels = 0
  /// Runs of equal power.
  var runs = CodeRuns()
  /// The last two e; nil when the samples before were not measured.
  private(set) var last = 0.0
  private(set) var beforeLast = 0.0
  /// Σ e and Σ ±e of blocks of joints, for ``halfRate``.
  private var blocks: [(sum: Double, alternating: Double)] = []
  private var blockLength = 8
  private var open = (sum: 0.0, alternating: 0.0, count: 0)
  private var sign = 1.0

  private static let most = 128

  /// A loss or the beginning: what comes has no neighbors before it.
  mutating func cut() {
    last = 0
    beforeLast = 0
  }

  /// Adds one joint in whatever way it was reached.
  @inline(__always)
  mutating func add(joint e: Double, slope: Double) {
    square += e * e
    next += e * last
    afterNext += e * beforeLast
    beforeLast = last
    last = e
    joints += 1
    slopes += slope * slope * 0.25
    add(toBlock: e, alternating: sign * e, count: 1)
    sign = -sign
  }

  /// Adds what a loop over several joints summed up.
  mutating func add(
    square: Double, next: Double, afterNext: Double, slopes: Double, sum: Double,
    alternating: Double, count: Int, last: Double, beforeLast: Double
  ) {
    self.square += square
    self.next += next
    self.afterNext += afterNext
    self.slopes += slopes
    self.last = last
    self.beforeLast = beforeLast
    joints += count
    add(toBlock: sum, alternating: sign * alternating, count: count)
    if count & 1 == 1 { sign = -sign }
  }

  /// How many joints a loop may sum up before the block is full.
  var room: Int { blockLength - open.count }

  @inline(__always)
  private mutating func add(toBlock sum: Double, alternating: Double, count: Int) {
    open.sum += sum
    open.alternating += alternating
    open.count += count
    if open.count >= blockLength { closeBlock() }
  }

  private mutating func closeBlock() {
    blocks.append((open.sum, open.alternating))
    open = (0, 0, 0)
    guard blocks.count == Self.most else { return }
    for index in 0..<Self.most / 2 {
      let (a, b) = (blocks[2 * index], blocks[2 * index + 1])
      blocks[index] = (a.sum + b.sum, a.alternating + b.alternating)
    }
    blocks.removeLast(Self.most / 2)
    blockLength *= 2
  }

  /// The variance of the difference between the energy and the one from every other sample, from
  /// blocks of the interval: joules squared. Nil for less than 8 blocks.
  private var halfRate: (variance: Double, blocks: Int)? {
    guard blocks.count >= 8 else { return nil }
    var squares = 0.0
    for block in blocks {
      squares += (block.sum * block.sum + block.alternating * block.alternating) / 4
    }
    // What is in the block that is open yet.
    let all = blocks.count * blockLength + open.count
    return (squares * Double(all) / Double(blocks.count * blockLength), blocks.count)
  }

  /// The variance of an energy because its waveform is known at samples only, and those scatter:
  /// joules squared, and by how many observations it is known.
  ///
  /// - Parameter open: the share of the time between two samples that no conversion averages over.
  func variance(open: Double) -> (value: Double, white: Double, degreesOfFreedom: Double) {
    let white = max(0, min(4 * afterNext, square * 2 / 3))
    let jumps = max(0, 2 * square - 3 * white)
    var variance = white + jumps / 12 * open * open
    var freedom = Double(max(1, joints / 2))
    if let halfRate, halfRate.variance < variance {
      variance = halfRate.variance
      freedom = Double(halfRate.blocks)
    }
    return (variance, white, freedom)
  }
}
