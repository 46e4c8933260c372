internal import KelvinModel

/// What is known about a run that is going on; a value, so that its rendering can be tested.
struct Status: Sendable, Hashable {
  var board = ""
  var total = 0
  /// Jobs that had ended before this life began.
  var endedBefore = 0
  var ended = 0
  var notOK = 0
  var stage: AttemptState = .starting
  var current = ""
  /// Monotonic nanoseconds.
  var start: Int64 = 0
  var jobStart: Int64 = 0
  /// Busy share of this machine's CPUs since the last refresh, 0...1; nil when not known.
  var load: Double?

  /// The status line: job i of n, board, stage, load, time left, failures.
  ///
  /// - Parameters:
  ///   - now: monotonic nanoseconds.
  ///   - columns: the line is cut to fewer than this.
  func line(now: Int64, columns: Int) -> String {
    let number = min(endedBefore + ended + 1, total)
    var parts = ["[\(number)/\(total)] \(board)"]
    if !current.isEmpty { parts.append("\(current): \(stage.rawValue)") }
    if jobStart > 0 { parts.append(DurationText.short(now - jobStart)) }
    if let load { parts.append("cpu \(Int((load * 100).rounded())) %") }
    if let left = remaining(now: now) { parts.append("about \(DurationText.short(left)) left") }
    if notOK > 0 { parts.append("\(notOK) not ok") }
    return String(parts.joined(separator: "  ").prefix(max(10, columns - 1)))
  }

  /// Nanoseconds that the remaining jobs will take if they are like those so far; nil before the
  /// first has ended.
  func remaining(now: Int64) -> Int64? {
    let left = total - endedBefore - ended
    guard ended > 0, left > 0, now > start else { return nil }
    return Int64(Double(now - start) / Double(ended) * Double(left))
  }
}
