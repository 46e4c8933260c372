/// Files to be sampled together at a fixed period.
public struct SamplePlan: Sendable, Hashable {
  /// One channel each; numbered from 0 in this order.
  public var files: [TargetPath]
  /// Ticks are due at start + n * period, n = 0, 1, ...
  public var periodNanoseconds: Int64
  /// Samples that fit between two drains before they are lost (and counted).
  public var capacity: Int
  /// SCHED_FIFO priority to ask for; nil asks for none.
  public var realtimePriority: Int?

  /// Creates a plan; the default capacity holds a second of 6 channels at 1 kHz ten times over.
  public init(
    files: [TargetPath], periodNanoseconds: Int64, capacity: Int = 65_536,
    realtimePriority: Int? = 50
  ) {
    self.files = files
    self.periodNanoseconds = periodNanoseconds
    self.capacity = capacity
    self.realtimePriority = realtimePriority
  }
}

/// One value of one channel at its own time.
public struct Sample: Sendable, Hashable {
  /// When the value was read, on the host's monotonic clock.
  public var nanoseconds: Int64
  /// The number in the file, its decimal point removed: `12.50` is 1250 with 2 ``decimals``.
  public var mantissa: Int64
  /// Which file, as numbered in the plan.
  public var channel: UInt16
  public var decimals: UInt8
  public var status: Status

  public enum Status: UInt8, Sendable {
    case ok
    /// The file could not be read (gone, EIO); ``Sample/mantissa`` is the errno.
    case unreadable
    /// The file did not start with a number.
    case notNumber
  }

  /// Creates a sample.
  public init(
    nanoseconds: Int64, mantissa: Int64, channel: UInt16, decimals: UInt8 = 0,
    status: Status = .ok
  ) {
    self.nanoseconds = nanoseconds
    self.mantissa = mantissa
    self.channel = channel
    self.decimals = decimals
    self.status = status
  }

  /// The value; NaN when the sample carries none.
  public var value: Double {
    guard status == .ok else { return .nan }
    var divisor = 1.0
    for _ in 0..<decimals { divisor *= 10 }
    return Double(mantissa) / divisor
  }
}

/// A sampler that was prepared by a connection. Used by one thread.
public protocol SampleSource: Sendable {
  /// Starts sampling; the first tick is due at once.
  func start() async throws(ConnectionFailure)
  /// Takes the samples that have come since the last drain, oldest first; never blocks.
  func drain() -> [Sample]
  /// Stops, and gives what was counted. Samples not yet drained stay for a last ``drain()``.
  /// Idempotent.
  func stop() async -> SampleSummary
}

/// What a sampler did, as counted by itself.
public struct SampleSummary: Sendable, Hashable {
  /// Ticks that were due until the stop.
  public var ticks: Int64 = 0
  /// Ticks whose wake-up was late by more than a tenth of a period but within it.
  public var lateTicks: Int64 = 0
  /// Ticks that were left out because an earlier one took beyond their time.
  public var overruns: Int64 = 0
  /// Samples that found no room before the next drain.
  public var lostSamples: Int64 = 0
  /// Lateness of wake-ups in nanoseconds: mean and greatest.
  public var meanLateness: Double = 0
  public var maxLateness: Int64 = 0
  /// CPU time that the sampling itself took, in nanoseconds; nil when it could not be measured.
  public var cpuNanoseconds: Int64?
  /// Whether it ran under SCHED_FIFO; when not although asked for, ``note`` says why.
  public var isRealtime = false
  public var note = ""

  /// Creates an empty summary.
  public init() {}
}
