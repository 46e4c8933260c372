/// How regularly frames came, from when each was presented.
///
/// Source of the jank's limits: Workload Automation's figures for SurfaceFlinger (devlib,
/// derived/fps.py).
struct FrameRate: Hashable {
  /// Presented frames, each once, in order.
  let times: [Int64]
  /// Frames a second while frames came; nil with fewer than two.
  private(set) var framesPerSecond: Double?
  /// Pairs of neighboring frame lengths that differ by more than 1.5 refreshes, and by less than
  /// the 20 that make a pause.
  private(set) var janks = 0
  /// Frames that stayed for longer than one refresh.
  private(set) var missedRefreshes = 0
  /// Whether frames may have gone between two dumps.
  let hasGap: Bool

  /// Takes what came after a first dump.
  ///
  /// - Parameters:
  ///   - baseline: the dump from before; its frames do not count.
  ///   - refreshPeriod: in nanoseconds, more than 0.
  ///   - dropThreshold: frames a second; a frame that stayed longer than that allows is a pause,
  ///     and in none of the figures.
  init(_ dumps: FrameDumps, after baseline: FrameDumps, refreshPeriod: Int64, dropThreshold: Double)
  {
    var last = baseline.dumps.flatMap(\.times).max()
    let begin = last ?? 0
    var hasGap = false
    for dump in dumps.dumps {
      if let last, let first = dump.times.min(), first > last,
        dump.rows >= FrameDumps.capacity
      {
        hasGap = true
      }
      last = [last, dump.times.max()].compactMap(\.self).max()
    }
    self.hasGap = hasGap
    times = Set(dumps.dumps.flatMap(\.times).filter { $0 > begin }).sorted()
    // Times are positive, so that differences never overflow.
    let lengths = zip(times, times.dropFirst()).map { Double($1 - $0) }
      .filter { $0 * dropThreshold <= 1e9 }
    let total = lengths.reduce(0, +)
    if total > 0 { framesPerSecond = Double(lengths.count) * 1e9 / total }
    let refreshes = lengths.map { $0 / Double(refreshPeriod) }
    missedRefreshes = refreshes.count { $0 > 1.5 }
    janks = zip(refreshes, refreshes.dropFirst()).count { first, second in
      let difference = abs(second - first)
      return difference > 1.5 && difference < 20
    }
  }
}
