internal import KelvinModel

/// What tells its values when it is asked, all of them at once. Used by one thread at a time.
protocol PolledSource: Sendable {
  /// What messages call it: `plug: 10.0.0.5:80`.
  var name: String { get }
  /// Of what it measures, in the order of its values.
  var channels: [Channel] { get }
  /// Asks.
  ///
  /// - Returns: a value for each channel, in its unit; nil: it has none just now.
  /// - Throws: `timedOut`, `gone` and `connection` for what may be well the next time; all else ends the capture.
  func read(until deadline: Deadline) throws(MeterFailure) -> [Double?]
}
