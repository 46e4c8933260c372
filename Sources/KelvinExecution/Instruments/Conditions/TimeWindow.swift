internal import KelvinModel

/// The values of the last so many seconds, and the one just before them.
struct TimeWindow<Value: Sendable>: Sendable {
  struct Entry: Sendable {
    var time: MonotonicTime
    var value: Value
  }

  /// Nanoseconds.
  private let length: Int64
  /// Oldest first.
  private(set) var entries: [Entry] = []

  /// Creates an empty window of this many seconds.
  init(seconds: Double) { length = Int64(seconds * 1e9) }

  /// Adds the newest value, and forgets what is not needed any more.
  mutating func add(_ value: Value, at time: MonotonicTime) {
    entries.append(Entry(time: time, value: value))
    let begin = time.nanoseconds - length
    let surplus = entries.dropFirst().prefix { $0.time.nanoseconds <= begin }.count
    entries.removeFirst(surplus)
  }

  /// Forgets everything: what comes next has nothing to do with what was.
  mutating func clear() { entries = [] }

  /// The oldest and the newest value, once the whole window lies between them.
  var ends: (first: Entry, last: Entry)? {
    guard let first = entries.first, let last = entries.last, last.time - first.time >= length,
      entries.count > 1
    else { return nil }
    return (first, last)
  }
}

extension TimeWindow<Double> {
  /// How much the values rise in a minute: the line of least squares through them. Nil until the
  /// window is full.
  var slopePerMinute: Double? {
    guard let (first, _) = ends else { return nil }
    let count = Double(entries.count)
    let points = entries.map { (Double($0.time - first.time) / 60e9, $0.value) }
    let meanX = points.reduce(0) { $0 + $1.0 } / count
    let meanY = points.reduce(0) { $0 + $1.1 } / count
    let spread = points.reduce(0) { $0 + ($1.0 - meanX) * ($1.0 - meanX) }
    guard spread > 0 else { return nil }
    return points.reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) } / spread
  }
}
