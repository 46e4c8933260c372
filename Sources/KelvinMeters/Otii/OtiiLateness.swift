/// Tells by the host's clock when samples are missing that no time stamp tells of: from one moment on even the
/// promptest sample comes later than before. Used by one thread.
struct OtiiLateness: Sendable {
  /// In which the promptest one is looked for, in nanoseconds of the host.
  private static let window: Int64 = 1_000_000_000
  /// By how much that may be later than in the window before, in nanoseconds: far more than clocks drift apart
  /// within it.
  static let tolerance: Int64 = 250_000_000

  private var end: Int64?
  private var least = Int64.max
  private var before: Int64?

  /// Takes when the newest sample had arrived.
  ///
  /// - Parameters:
  ///   - meter: the sample's time, in nanoseconds.
  ///   - host: when it was there, on the host's clock.
  /// - Returns: nanoseconds that are missing; negative: what came before was late, and is no longer.
  mutating func observe(meter: Int64, host: Int64) -> Int64? {
    guard let end else {
      self.end = host &+ Self.window
      least = host &- meter
      return nil
    }
    guard host >= end else {
      least = min(least, host &- meter)
      return nil
    }
    self.end = host &+ Self.window
    let (now, was) = (least, before)
    least = host &- meter
    before = now
    guard let was, abs(now &- was) > Self.tolerance else { return nil }
    // What is missing is counted, and so from here on times are right again.
    if now > was {
      before = was
      least = .max
    }
    return now &- was
  }
}
