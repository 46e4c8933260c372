internal import KelvinModel

/// The mapping of times that cannot wait for the last reading of the board's clock.
///
/// It changes with each reading; what was mapped by it can be off by more than what is mapped at the
/// end, and ``greatestDistance(from:)`` says by how much.
struct LiveClock: Sendable {
  private struct Segment {
    var fit: ClockFit
    /// Of the samples that were mapped by it, on the board's clock.
    var first: Int64
    var last: Int64
  }
  private var segments: [Segment] = []
  private var fit: ClockFit?
  private var isNew = true
  private var lastTime = Int64.min

  init() {}

  /// With what was read before the window.
  mutating func begin(_ clock: BoardClock) { set(clock.fit) }

  /// With a reading in the window, if it is about as good as the first: the line through both.
  mutating func follow(_ clock: BoardClock) {
    guard let first = clock.readings.first, let last = clock.readings.last,
      last.bound <= 2 * first.bound
    else { return }
    var pair = BoardClock()
    pair.add([first])
    pair.add([last])
    set(pair.fit)
  }

  private mutating func set(_ fit: ClockFit?) {
    self.fit = fit
    isNew = true
  }

  /// A time on the host's clock.
  func host(_ time: Int64) -> Int64 { fit?.safeHost(time) ?? time }

  /// Puts samples on the host's clock, in the order of time also where the mapping has just changed.
  mutating func map(_ samples: inout [Sample]) {
    guard let fit, let first = samples.first, let last = samples.last else { return }
    if isNew {
      segments.append(Segment(fit: fit, first: first.nanoseconds, last: last.nanoseconds))
      isNew = false
    } else {
      segments[segments.count - 1].last = last.nanoseconds
    }
    for index in samples.indices {
      lastTime = max(lastTime, fit.safeHost(samples[index].nanoseconds))
      samples[index].nanoseconds = lastTime
    }
  }

  /// How far a time that was mapped is from where another fit puts it, in nanoseconds; 0 when none was.
  func greatestDistance(from other: ClockFit) -> Int64 {
    // Both are lines, so that the ends of each piece are furthest apart.
    segments.reduce(0) { greatest, segment in
      let distances = [segment.first, segment.last].map {
        Int64(
          clamping: (segment.fit.safeHost($0) &- other.safeHost($0)).magnitude)
      }
      return max(greatest, distances[0], distances[1])
    }
  }
}
