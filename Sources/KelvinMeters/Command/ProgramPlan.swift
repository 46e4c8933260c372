internal import KelvinModel

/// How a program that measures is run, and ended.
struct ProgramPlan: Sendable {
  var argv: [String]
  /// How long nothing may come, in seconds.
  var patience: Double
  /// The signal that asks the program to end, and how long it may take, in seconds.
  var stop: Int32
  var grace: Double
}

/// Makes samples of what a program prints, as it comes. Used by one thread.
protocol ProgramReader: Sendable {
  /// Takes bytes as they came.
  ///
  /// - Parameter arrival: when, on the monotonic clock, in nanoseconds.
  mutating func take(_ bytes: Span<UInt8>, arrival: Int64)
  /// Tells what is still to be told, after the last byte.
  mutating func finish() -> ClockFit
  /// The last sample's time, on the clock of the capture; nil where that is this machine's monotonic one.
  var latest: Int64? { get }
  /// Given out, of each channel.
  var samples: [Int64] { get }
  var lost: Int64 { get }
  /// Why no further byte is taken.
  var failure: MeterFailure? { get }
  /// What would show that something is missing.
  var witnesses: [String] { get }
}
