internal import KelvinModel

/// When reports that have neither number nor time were sent, by when they came: and whether some never came. Used by
/// one thread.
///
/// They are sent in regular steps, and may come late but not early. So a report waits for some that follow it: where
/// all of them are late by a step or more, reports were lost before it; where one of them is on time, it was late
/// itself. While they come one right behind the other, this machine is catching up, and nothing is decided. Lateness that is left is followed slowly, since the tester's clock is another than the host's.
struct FNIRSIClock: Sendable {
  /// From report to report, in nanoseconds.
  private let step: Double
  private var held: [(report: FNIRSIReport, arrival: Int64)] = []
  /// Of the report that was given out last.
  private var last: Double?
  /// The greatest lateness of one that was given out, in nanoseconds.
  private(set) var greatest = 0.0

  /// A report, and when its last sample was taken.
  struct Placed: Sendable {
    var report: FNIRSIReport
    var time: Int64
    /// Reports that are missing before it.
    var missing: Int64
  }

  /// Reports that wait, with the one that is next; that must agree that some were lost, a second's; and that wait at
  /// most, 4 s of them.
  private static let (waiting, agreeing, most) = (10, 25, 100)
  /// The share of lateness that is followed with each report: late by chance, and early by no chance at all.
  private static let (slow, quick) = (0.1, 0.5)

  init(step: Double = Double(Int64(FNIRSIReport.samples) * FNIRSIReport.period)) {
    self.step = step
  }

  /// Takes a report; gives out the one before some others, if it is known by now when that was taken.
  mutating func take(_ report: FNIRSIReport, at arrival: Int64) -> Placed? {
    let isCatchingUp = held.last.map { Double(arrival - $0.arrival) < step / 2 } ?? false
    held.append((report, arrival))
    guard held.count < Self.most else { return next() }
    guard held.count >= Self.waiting, !isCatchingUp else { return nil }
    return least(after: before) < step / 2 || held.count >= Self.agreeing ? next() : nil
  }

  /// Gives out another one where more wait than need to.
  mutating func takeAnother() -> Placed? {
    guard held.count >= Self.waiting, least(after: before) < step / 2 else { return nil }
    return next()
  }

  /// Gives out those that wait, at the end.
  mutating func flush() -> [Placed] {
    var rest: [Placed] = []
    while let placed = next() { rest.append(placed) }
    return rest
  }

  /// When the report before those that wait was sent: the first one of all was as late as the promptest of those
  /// behind it says.
  private var before: Double {
    last ?? held.enumerated().map { Double($1.arrival) - step * Double($0 + 1) }.min() ?? 0
  }

  /// How late the promptest of those that wait was, were none missing.
  private func least(after before: Double) -> Double {
    held.enumerated().map { Double($1.arrival) - before - step * Double($0 + 1) }.min() ?? 0
  }

  private mutating func next() -> Placed? {
    guard let first = held.first else { return nil }
    let before = before
    let least = least(after: before)
    let missing = least > step / 2 ? (least / step).rounded() : 0
    let rest = least - missing * step
    let time = before + step * (1 + missing) + rest * (rest < 0 ? Self.quick : Self.slow)
    greatest = max(greatest, Double(first.arrival) - time)
    last = time
    held.removeFirst()
    return Placed(report: first.report, time: Int64(time.rounded()), missing: Int64(missing))
  }
}
