internal import Glibc
internal import KelvinModel

/// How the time stamps of a device become times of this machine's monotonic clock.
enum IIOClock: Sendable, Hashable {
  /// They are times of that clock.
  case monotonic
  /// They are of another clock of this machine, which can be read beside it.
  case local(Int32)
  /// They are of a clock that only their arrival tells something about.
  case foreign

  /// What `current_timestamp_clock` may say (Linux, drivers/iio/industrialio-core.c).
  static func named(_ name: String) -> IIOClock {
    switch name {
    case "monotonic", "monotonic_coarse": .monotonic
    case "realtime", "realtime_coarse": .local(CLOCK_REALTIME)
    case "monotonic_raw": .local(CLOCK_MONOTONIC_RAW)
    case "boottime": .local(CLOCK_BOOTTIME)
    case "tai": .local(CLOCK_TAI)
    default: .foreign
    }
  }

  /// A reading of a clock of this machine, and of the monotonic one at the same moment.
  static func observe(_ clock: Int32) -> (meter: Int64, host: Int64) {
    var best: (meter: Int64, host: Int64, width: Int64)?
    for _ in 0..<3 {
      let before = MonotonicTime.now.nanoseconds
      var time = timespec()
      clock_gettime(clock, &time)
      let after = MonotonicTime.now.nanoseconds
      let meter = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
      if best.map({ after - before < $0.width }) ?? true {
        best = (meter, before + (after - before) / 2, after - before)
      }
    }
    return best.map { ($0.meter, $0.host) } ?? (0, 0)
  }
}

/// Fits a clock to observations of which each is late by an unknown time, never early: samples that
/// arrived over a network, or whose reader was waiting for its turn.
///
/// The line lies below all observations and touches them on both sides of their middle: the edge of the
/// lower convex hull there (Zhang, Liu, Xia: Clock synchronization algorithms for network measurements,
/// INFOCOM 2002). What even the fastest of them took remains unknown, between 0 and ``shortestDelay``.
struct IIOClockFitter {
  /// The least that an observation can be late, in nanoseconds: no more than this.
  let shortestDelay: Double
  /// Of the lower hull, from left to right: on the meter's clock, and host less meter.
  private var hull: [(meter: Int64, offset: Int64)] = []
  private var count = 0
  private var latest: Int64 = .min

  /// - Parameter shortestDelay: nanoseconds: for a network the shortest round trip; 0 for clocks that
  ///   are read side by side.
  init(shortestDelay: Double) { self.shortestDelay = shortestDelay }

  /// Takes an observation; those of times that do not ascend are passed over.
  mutating func take(meter: Int64, host: Int64) {
    guard meter > latest else { return }
    latest = meter
    count += 1
    let point = (meter: meter, offset: host &- meter)
    while hull.count > 1, !isBelow(hull[hull.count - 1], hull[hull.count - 2], point) {
      hull.removeLast()
    }
    hull.append(point)
    // Bounded: what is thinned out in the middle changes the line by less than its own uncertainty.
    if hull.count > 512 {
      hull = hull.enumerated().filter { $0.offset % 2 == 0 || $0.offset == hull.count - 1 }.map(
        \.element)
    }
  }

  /// Whether a point lies below the line from `left` to `right`.
  private func isBelow(
    _ point: (meter: Int64, offset: Int64), _ left: (meter: Int64, offset: Int64),
    _ right: (meter: Int64, offset: Int64)
  ) -> Bool {
    let part = Double(point.meter &- left.meter) / Double(right.meter &- left.meter)
    return Double(point.offset &- left.offset) < Double(right.offset &- left.offset) * part
  }

  /// The mapping; nil without an observation.
  var fit: ClockFit? {
    guard let first = hull.first, let last = hull.last else { return nil }
    let half = shortestDelay / 2
    // Rectangular, within ± half.
    let uncertainty = half / 3.0.squareRoot()
    let middle = first.meter &+ (last.meter &- first.meter) / 2
    // A slope needs a while to show: within a second noise would be taken for skew.
    guard hull.count > 1, last.meter &- first.meter > 1_000_000_000 else {
      let lowest = hull.map(\.offset).min() ?? first.offset
      let spread = hull.map(\.offset).max().map { Double($0 &- lowest) } ?? 0
      return ClockFit(
        origin: middle, offset: lowest &- Int64(half), skew: 0, uncertainty: uncertainty,
        residual: spread, count: count)
    }
    let right = hull.firstIndex { $0.meter >= middle } ?? hull.count - 1
    let left = max(0, right - 1)
    let edge = (hull[left], hull[max(right, 1)])
    let skew = Double(edge.1.offset &- edge.0.offset) / Double(edge.1.meter &- edge.0.meter)
    let offset = Double(edge.0.offset) + Double(middle &- edge.0.meter) * skew - half
    let residual =
      hull.map {
        abs(Double($0.offset) - offset - Double($0.meter &- middle) * skew)
      }.max() ?? 0
    return ClockFit(
      origin: middle, offset: Int64(offset.rounded()), skew: skew, uncertainty: uncertainty,
      residual: residual, count: count)
  }
}
