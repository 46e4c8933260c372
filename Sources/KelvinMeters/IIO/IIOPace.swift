internal import KelvinModel

/// Tells by the time stamps of scans whether some are missing.
///
/// A scan that is late is no loss when the next one makes up for it: so an interval of more than one
/// and a half periods is judged together with the one behind it. The period follows the device's own
/// clock: a chip's oscillator may be 10 % off what it says.
struct IIOPace {
  /// Nanoseconds from scan to scan; nil until it is known.
  private(set) var period: Double?
  private(set) var lost: Int64 = 0
  private var last: Int64?
  /// A long interval that is not judged yet: when it began and ended.
  private var pending: (from: Int64, to: Int64)?
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
      if interval <= 0 {
        let right = last &+ Int64(max(1, period ?? 1))
        correction &+= right &- stamp
        times[index] = right
        report(
          CaptureEvent(
            .clockStep, from: last, to: right,
            note: "the device's clock went back by \(-interval) ns"))
        pending = nil
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
    let isLong = interval > 1.5 * period
    if let pending {
      // One that makes up for it is counted in; another long one is judged by itself.
      let whole = Double(pending.to &- pending.from) + (isLong ? 0 : interval)
      count(
        Int64((whole / period).rounded()) - (isLong ? 1 : 2), from: pending.from, to: pending.to,
        note, report)
      self.pending = nil
    } else if !isLong, interval > 0.5 * period {
      self.period = period + (interval - period) / 64
    }
    if isLong { pending = (from, to) }
  }

  /// The middle one of the first intervals.
  private mutating func learn(_ interval: Int64) {
    first.append(interval)
    guard first.count == 31 else { return }
    period = Double(first.sorted()[15])
    first = []
  }

  private mutating func count(
    _ missing: Int64, from: Int64, to: Int64, _ note: String, _ report: (CaptureEvent) -> Void
  ) {
    guard missing > 0 else { return }
    lost += missing
    report(CaptureEvent(.gap, from: from, to: to, count: missing, note: note))
  }

  /// Judges what is left.
  mutating func finish(note: String, report: (CaptureEvent) -> Void) {
    guard let pending, let period else { return }
    self.pending = nil
    let interval = Double(pending.to &- pending.from)
    count(
      Int64((interval / period).rounded()) - 1, from: pending.from, to: pending.to, note, report)
  }
}
