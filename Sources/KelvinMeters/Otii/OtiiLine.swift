internal import KelvinModel

/// Samples of a digital input, of which the server tells changes: an edge lies between two samples of different
/// levels, and a line at rest has a sample each time when something else is read. Used by one thread.
struct OtiiLine: Sendable {
  /// Its place among the meter's channels.
  let channel: Int
  private var isHigh: Bool?
  private var last = Int64.min
  private var times: [Int64] = []
  private var codes: [Int64] = []
  /// Changes that were older than what had been given out.
  private(set) var late = 0

  init(channel: Int) { self.channel = channel }

  /// Takes a change.
  ///
  /// - Parameters:
  ///   - time: on the meter's clock, in nanoseconds.
  ///   - step: from one sample to the next: the edge was within one before the change.
  mutating func change(to level: Bool, at time: Int64, step: Int64) {
    if time <= last { late += 1 }
    if let isHigh, isHigh != level { add(isHigh, max(time &- max(1, step), last &+ 1)) }
    isHigh = level
    add(level, max(time, last &+ 1))
  }

  /// The level goes on until a time.
  mutating func hold(until time: Int64) {
    guard let isHigh, time > last else { return }
    add(isHigh, time)
  }

  private mutating func add(_ level: Bool, _ time: Int64) {
    times.append(time)
    codes.append(level ? 1 : 0)
    last = time
  }

  /// What has come since the last time; nil when nothing has.
  mutating func hand() -> SampleBlock? {
    guard !times.isEmpty else { return nil }
    defer { (times, codes) = ([], []) }
    return SampleBlock(channel: channel, times: times, codes: codes)
  }
}
