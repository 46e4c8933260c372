internal import KelvinModel

/// Tells by the time stamps of scans whether some are missing.
///
/// A scan that is late is no loss when those behind it make up for it: so an interval of more than one
/// and a half periods is judged together with up to four more. The period follows the device's own
/// clock: a chip's oscillator may be 10 % off what it says.
struct IIOPace {
  /// Nanoseconds from scan to scan; nil until it is known.
  private(set) var period: Double?
  private(set) var lost: Int64 = 0
  private var last: Int64?
  /// A long interval that is not judged yet: when it began and ended; and how many intervals there were
  /// from its beginning on, to which time.
  private var pending: (from: Int64, to: Int64, intervals: Int64, end: Int64)?
  /// The first intervals, where nobody says what the period is.
  private var first: [Int64] = []
  /// Added to all time stamps since the clock was set back.
  private var correction: Int64 = 0

  /// - Parameter period: nanoseconds, as the device says; nil when it does not.
  init(period: Double?) { self.period = period }

  /// Takes the next time stamps, and corrects those of a clock that was set back, so that they ascend.
  mutating func take(_ times: inout [Int64], note: String, report: (CaptureEvent) -> Void) {
    for index in times.indices {
      let stamp = times[index] &+ correction
      defer { last = times[index] }
      times[index] = stamp
      guard let last else { continue }
      let interval = stamp &- last
      if interval <= 0 || interval > Self.longest {
        settle(note, report)
        let right = last &+ Int64(max(1, period ?? 1))
        correction &+= right &- stamp
        times[index] = right
        report(
          CaptureEvent(
            .clockStep, from: last, to: right,
            note: "the device's clock was set, or jumped: \(interval) ns from one scan to the next")
        )
        continue
      }
      judge(from: last, to: stamp, note, report)
    }
  }

  private mutating func judge(
    from: Int64, to: Int64, _ note: String, _ report: (CaptureEvent) -> Void
  ) {
    guard let period else { return learn(to &- from) }
    let interval = Double(to &- from)
    if interval > 1.5 * period {
      settle(note, report)
      pending = (from, to, 1, to)
    } else if var late = pending {
      late.intervals += 1
      late.end = to
      pending = late
      if missing(late, period) <= 0 { pending = nil }
      if late.intervals == 5 { settle(note, report) }
    } else if interval > 0.5 * period {
      self.period = period + (interval - period) / 64
    }
  }

  private func missing(
    _ late: (from: Int64, to: Int64, intervals: Int64, end: Int64), _ period: Double
  ) -> Int64 {
    Int64((Double(late.end &- late.from) / period).rounded()) - late.intervals
  }

  /// Judges what is not judged yet.
  private mutating func settle(_ note: String, _ report: (CaptureEvent) -> Void) {
    guard let late = pending, let period else { return }
    pending = nil
    let count = missing(late, period)
    guard count > 0 else { return }
    lost += count
    report(CaptureEvent(.gap, from: late.from, to: late.to, count: count, note: note))
  }

  /// The middle one of the first intervals.
  private mutating func learn(_ interval: Int64) {
    first.append(interval)
    guard first.count == 31 else { return }
    period = Double(first.sorted()[15])
    first = []
  }

  /// Judges what is left.
  mutating func finish(note: String, report: (CaptureEvent) -> Void) { settle(note, report) }

  /// A gap of more than an hour, in nanoseconds, is none: somebody set a clock.
  private static let longest: Int64 = 3_600_000_000_000
}
