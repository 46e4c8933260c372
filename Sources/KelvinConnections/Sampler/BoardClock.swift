public import KelvinModel

/// One question and answer about a board's time: the host's clock before and after, the board's at
/// receipt and answer (the four time stamps of RFC 5905, section 8); all in nanoseconds.
public struct ClockReading: Sendable, Hashable {
  public var sent: Int64
  public var boardReceived: Int64
  public var boardSent: Int64
  public var received: Int64

  /// Describes a question; a board that says one time alone received and answered then.
  public init(sent: Int64, boardReceived: Int64, boardSent: Int64, received: Int64) {
    self.sent = sent
    self.boardReceived = boardReceived
    self.boardSent = boardSent
    self.received = received
  }

  /// Time on the way, both ways together; never less than 0.
  var roundTrip: Int64 { max(0, (received &- sent) &- (boardSent &- boardReceived)) }
  /// The host's clock less the board's, if both ways take as long.
  var offset: Int64 {
    let out = sent &- boardReceived
    return out &+ ((received &- boardSent) &- out) / 2
  }
  /// Beyond this the offset cannot be wrong, however the way is shared out: half the round trip.
  var bound: Int64 { (roundTrip &+ 1) / 2 }
  /// The middle, on the board's clock.
  var time: Int64 { boardReceived &+ (boardSent &- boardReceived) / 2 }

  /// Whether a clock can have said so: what happened on the board lies within what the host waited.
  public var isPlausible: Bool {
    boardReceived >= 0 && boardSent >= boardReceived && boardSent < 1 << 60
      && boardSent - boardReceived <= received &- sent
  }
}

extension ClockFit {
  /// The host's time as ``host(_:)`` tells it, for whatever a board says; a shift that no clock has is
  /// left out.
  public func safeHost(_ time: Int64) -> Int64 {
    let shift = (Double(time &- origin) * skew).rounded()
    return time &+ offset &+ (abs(shift) < 1e18 ? Int64(shift) : 0)
  }

  /// Nanoseconds between where it puts a reading and where that says it is.
  fileprivate func distance(to reading: ClockReading) -> Int64 {
    let distance = safeHost(reading.time) &- (reading.time &+ reading.offset)
    return Int64(clamping: distance.magnitude)
  }
}

/// The mapping of a board's clock to the host's, from readings before, during and after the window.
///
/// Between the first and the last reading the offset is taken to change evenly. Each of them is the one
/// with the shortest round trip of a burst. Readings in between show by how much the clocks did not run
/// evenly.
public struct BoardClock: Sendable {
  public private(set) var readings: [ClockReading] = []

  /// Without any reading.
  public init() {}

  /// Adds the best of a burst; they come in the order of time.
  public mutating func add(_ burst: [ClockReading]) {
    guard let best = burst.min(by: { $0.roundTrip < $1.roundTrip }) else { return }
    readings.append(best)
  }

  /// The line through the first and the last reading; nil without any.
  public var fit: ClockFit? {
    guard let first = readings.first, let last = readings.last else { return nil }
    let span = last.time &- first.time
    let change = last.offset &- first.offset
    var skew = span > 0 ? Double(change) / Double(span) : 0
    // Clocks differ by some 100 ppm; more than the bounds and ten times that is a clock that was set.
    let limit = 1e-3 + Double(first.bound &+ last.bound) / Double(max(1, span))
    if abs(skew) > limit { skew = 0 }
    var fit = ClockFit(
      origin: first.time &+ span / 2, offset: first.offset &+ (skew == 0 ? 0 : change / 2),
      skew: skew, uncertainty: 0, residual: 0, count: readings.count)
    for reading in readings {
      fit.residual = max(fit.residual, Double(fit.distance(to: reading)))
    }
    // Anything within the bound is as likely as anything else: a rectangle's deviation.
    fit.uncertainty = Double(bound(of: fit)) / 3.0.squareRoot()
    return fit
  }

  /// Nanoseconds by which a time between the first and the last reading, mapped by a fit, can be wrong:
  /// half the longer round trip of the ends, and what a reading in between proves beyond its own.
  public func bound(of fit: ClockFit) -> Int64 {
    guard let first = readings.first, let last = readings.last else { return .max }
    var proven: Int64 = 0
    for reading in readings {
      proven = max(proven, fit.distance(to: reading) &- reading.bound)
    }
    let (sum, overflow) = max(first.bound, last.bound).addingReportingOverflow(proven)
    return overflow ? .max : sum
  }
}
