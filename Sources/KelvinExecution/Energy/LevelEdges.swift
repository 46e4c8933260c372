internal import KelvinModel

/// Finds the changes of a digital channel in its samples, in the order of time.
///
/// An edge lies anywhere between the last sample of one level and the first of the other; its time is the
/// middle of both, and may be off by half their distance. So it is known to a sample's period where nothing is
/// missing, and to half of what is missing elsewhere. What came and went between two samples is not seen.
struct LevelEdges: Sendable {
  struct Edge: Sendable, Hashable {
    /// On the meter's clock, in nanoseconds.
    var time: Int64
    /// By how much it may be off, either way.
    var limit: Int64
    var isHigh: Bool
  }
  private(set) var edges: [Edge] = []
  private var last: (time: Int64, isHigh: Bool)?

  /// Edges that are kept; more than that is no phase, but a clock.
  static let most = PhaseMark.most
  /// Those beyond.
  private(set) var leftOut = 0

  /// Takes a block of the channel. The first sample of all counts as an edge: the level since then.
  mutating func take(_ block: SampleBlock) {
    guard var previous = last ?? block.first else { return }
    if last == nil {
      edges.append(Edge(time: previous.time, limit: 0, isHigh: previous.isHigh))
    }
    let codes = block.codes.span
    for index in codes.indices where (codes[index] != 0) != previous.isHigh {
      let before = index > 0 ? block.times[index - 1] : previous.time
      add(from: before, to: block.times[index], isHigh: codes[index] != 0)
      previous.isHigh.toggle()
    }
    if let time = block.times.last { last = (time, previous.isHigh) }
  }

  private mutating func add(from before: Int64, to after: Int64, isHigh: Bool) {
    guard edges.count < Self.most else {
      leftOut += 1
      return
    }
    let distance = after &- before
    edges.append(
      Edge(time: before &+ distance / 2, limit: (distance &+ 1) / 2, isHigh: isHigh))
  }

  /// What they mark, on the host's clock.
  func marks(of input: PhaseInput, _ clock: ClockFit) -> [PhaseMark] {
    edges.map {
      PhaseMark(time: clock.host($0.time), limit: $0.limit, name: input.name(at: $0.isHigh))
    }
  }
}

extension SampleBlock {
  fileprivate var first: (time: Int64, isHigh: Bool)? {
    guard let time = times.first, let code = codes.first else { return nil }
    return (time, code != 0)
  }
}
