internal import Glibc
internal import KelvinModel

/// How the times of a program's lines become times of this machine's monotonic clock.
///
/// What a capture gets is the program's time plus one constant, so that it is near the host's from the
/// first line on; the rest is in ``finish(_:)``.
struct LineClock: Sendable {
  private let timing: LinePlan.Timing
  /// The monotonic clock less the program's, as far as it is known; nil before the first line.
  private var shift: Int64?
  private var fitter: ClockFitter
  /// Steps that were told already.
  private var told = 0

  init(_ timing: LinePlan.Timing) {
    self.timing = timing
    // A pace is what somebody says of a program; a printed clock is a clock.
    fitter = ClockFitter(greatestSkew: timing == .counted ? 1e-2 : 1e-3)
    switch timing {
    case .printed(.monotonic, _), .arrival: shift = 0
    case .printed(.epoch, _):
      let (meter, host) = IIOClock.observe(CLOCK_REALTIME)
      shift = host &- meter
    case .printed(.own, _), .counted: shift = nil
    }
  }

  /// Whether the clock is known only from when lines come.
  private var isFitted: Bool { timing == .counted || isOwn }
  private var isOwn: Bool { if case .printed(.own, _) = timing { true } else { false } }

  /// The time for the capture of a line's own time; nil when it is beyond what can be counted.
  mutating func time(_ own: Int64, arrival: Int64) -> Int64? {
    let shift = self.shift ?? (arrival &- own)
    if self.shift == nil { self.shift = shift }
    let (time, isOver) = own.addingReportingOverflow(shift)
    return isOver ? nil : time
  }

  /// Takes a time back that is ahead of its line: nothing arrives before it was measured, so that the first
  /// line was late, or the pace is faster than it was said to be. The clock is taken back with it.
  ///
  /// - Parameter last: of the line before, which stays before it.
  mutating func takenBack(_ time: Int64, arrival: Int64, after last: Int64) -> Int64 {
    // More than that is no delay.
    guard isFitted, time > arrival, time &- arrival < 1_000_000_000 else { return time }
    let right = max(arrival, last &+ 1)
    if right < time { shift = shift.map { $0 &- (time &- right) } }
    return min(time, right)
  }

  /// Takes when a line came that is taken for good.
  ///
  /// Of lines that came together only the first is taken back, and the others keep their distance: where they
  /// are ahead still, the clock was taken for too late by as much until now, and is right from the next lines
  /// on. They came when they say at the earliest.
  mutating func observe(_ time: Int64, arrival: Int64) {
    if isFitted { fitter.observe(meter: time, host: max(arrival, time)) }
  }

  /// Jumps of the program's clock, or of its pace, that have not been told.
  mutating func newSteps() -> [CaptureEvent] {
    defer { told = fitter.steps.count }
    return Array(fitter.steps[told...])
  }

  /// The mapping of the capture's times, and whether the wall clock was set meanwhile.
  ///
  /// - Parameter last: the time of the last line.
  func finish(_ last: Int64) -> (fit: ClockFit, step: CaptureEvent?) {
    switch timing {
    case .printed(.monotonic, _): return (.host, nil)
    case .arrival(let late):
      // Between 0 and so late, evenly.
      let uncertainty = late / 12.0.squareRoot()
      return (
        ClockFit(
          origin: last, offset: -Int64(late / 2), skew: 0, uncertainty: uncertainty,
          residual: late, count: 0), nil
      )
    case .printed(.own, _), .counted: return (fitter.fit ?? .host, nil)
    case .printed(.epoch, _):
      let (meter, host) = IIOClock.observe(CLOCK_REALTIME)
      let change = (host &- meter) &- (shift ?? 0)
      var fit = ClockFit.host
      // Anywhere between both.
      fit.offset = change / 2
      fit.uncertainty = abs(Double(change)) / 12.0.squareRoot()
      fit.residual = abs(Double(change))
      fit.count = 2
      guard abs(change) > 1_000_000 else { return (fit, nil) }
      return (
        fit,
        CaptureEvent(
          .clockStep, from: last, to: last,
          note: "the wall clock went \(Double(-change) / 1e9) s against the monotonic one")
      )
    }
  }
}
