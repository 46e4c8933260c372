/// Samples of power that follow each other: what blocks become before they are integrated. Its arrays
/// are used again from block to block.
struct PowerRun: Sendable {
  /// On the meter's clock; ascending.
  var times: [Int64] = []
  /// In watts.
  var power: [Double] = []
  /// In amperes; empty for a power channel.
  var current: [Double] = []
  /// In volts; empty unless it is measured.
  var voltage: [Double] = []
  /// Samples at an end of their range.
  var saturated: [Int] = []
  /// Samples at the beginning that the run before had already.
  var carried = 0

  var count: Int { times.count }

  /// Keeps the last two samples, for what continues them.
  mutating func carry() {
    let keep = min(2, count)
    let first = count - keep
    saturated = saturated.filter { $0 >= first }.map { $0 - first }
    times.removeFirst(first)
    power.removeFirst(first)
    if !current.isEmpty { current.removeFirst(first) }
    if !voltage.isEmpty { voltage.removeFirst(first) }
    carried = keep
  }
}
