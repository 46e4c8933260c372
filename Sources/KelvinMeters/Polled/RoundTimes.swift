internal import KelvinModel

/// When a meter is asked that is asked at a steady rate, and how well the times of its answers are known: a value was
/// measured at some time between question and answer.
struct RoundTimes {
  /// Questions that were left out, since their time had passed.
  private(set) var overruns: Int64 = 0
  /// Answers.
  private(set) var count: Int64 = 0
  /// Of the halves of what they took, in nanoseconds.
  private var greatest = 0.0
  private var squares = 0.0

  /// When the next question is due, a period after the one that is asked now; those whose time has passed are left out.
  ///
  /// - Returns: that, and what to tell of those, if any.
  mutating func next(after due: Int64, period: Int64) -> (due: Int64, overrun: CaptureEvent?) {
    let missed = (MonotonicTime.now.nanoseconds &- due) / period
    guard missed > 0 else { return (due &+ period, nil) }
    overruns += missed
    let event = CaptureEvent(.overrun, from: due, to: due &+ missed &* period, count: missed)
    return (due &+ (missed &+ 1) &* period, event)
  }

  /// Takes an answer in.
  ///
  /// - Returns: the time of its values, halfway between question and answer.
  mutating func add(from begin: Int64, to end: Int64) -> Int64 {
    let half = Double(end &- begin) / 2
    greatest = max(greatest, half)
    squares += half * half
    count += 1
    return begin &+ (end &- begin) / 2
  }

  /// What the longest answer took, in seconds; nil without one.
  var longest: Double? { count > 0 ? greatest * 2e-9 : nil }

  /// Times are the host's, rectangular within ± half of a round.
  var clock: ClockFit {
    var clock = ClockFit.host
    guard count > 0 else { return clock }
    clock.uncertainty = (squares / Double(count) / 3).squareRoot()
    clock.residual = greatest
    return clock
  }
}
