/// What the samples of a waveform say about the error of their trapezoids (docs/measurement.md).
struct WaveformSums: Sendable {
  /// Σ e² and Σ e·e₁, where e is how far a sample lies from the line between its neighbors, times its
  /// weight: joules squared. e₁ is that of the sample before.
  var square = 0.0
  var next = 0.0
  /// How many e there were.
  var joints = 0
  /// Σ (p₊₁ − p₋₁)²/4, in watts squared: what errors of time stamps cost.
  var slopes = 0.0
  /// Σ h², in seconds squared.
  var steps = 0.0
  var panels = 0
  /// Runs of equal power.
  var runs = CodeRuns()
  /// The last e; 0 when the samples before were not measured.
  private(set) var last = 0.0
  /// Σ e and Σ ±e of blocks of joints, for ``halfRate``.
  private var blocks: [(sum: Double, alternating: Double)] = []
  private var blockLength = 8
  private var open = (sum: 0.0, alternating: 0.0, count: 0)
  private var sign = 1.0

  private static let most = 128

  /// A loss or the beginning: what comes has no neighbors before it.
  mutating func cut() { last = 0 }

  /// Adds what a loop over several joints summed up.
  mutating func add(
    square: Double, next: Double, slopes: Double, sum: Double, alternating: Double, count: Int,
    last: Double
  ) {
    self.square += square
    self.next += next
    self.slopes += slopes
    self.last = last
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
    // Noise gives Σe² = 1.5 W and Σe·e₁ = −W, steps give Σe² = J/2 and Σe·e₁ = −J/4.
    let most = square * 2 / 3
    var white = min(most, max(0, -2 * (square + 2 * next)))
    // The standard error of W when all is noise: it is all noise, then, as far as can be seen.
    if white >= most * (1 - 4.6 / Double(max(1, joints)).squareRoot()) { white = most }
    // A conversion that averages shows a step in two halves: half of that is lost in Σe².
    let jumps = max(0, 2 * square - 3 * white) / (0.5 + open / 2)
    var variance = white + jumps / 12 * open * open
    var freedom = Double(max(1, joints / 2))
    // Both are estimates: only where they clearly differ, as in smooth waveforms, the other one counts.
    if let halfRate, halfRate.variance < variance / 2 {
      variance = halfRate.variance
      freedom = Double(halfRate.blocks)
    }
    return (variance, white, freedom)
  }
}
