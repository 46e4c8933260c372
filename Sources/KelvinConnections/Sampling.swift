public import KelvinModel

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
  /// Whether a board behind a link is to sample by a program of its own (docs/sampling.md).
  public var onBoard: OnBoard
  /// Bytes of the board's memory that hold the samples until the stop, so that the link is silent in
  /// between; a sample takes 3 to 4. What finds no room is lost, and counted. Nil: they are sent as they
  /// come. Used where the board samples by itself.
  public var buffer: Int?
  /// The program on the board ends by itself after these many seconds, whatever happens to the link.
  public var limitSeconds: Double

  public enum OnBoard: String, Sendable, Hashable, CaseIterable {
    /// Where the board can run it; otherwise through its shell, and a note says why.
    case auto
    /// Otherwise it is a failure.
    case always
    /// Always through its shell.
    case never
  }

  /// Creates a plan; the default capacity holds a second of 6 channels at 1 kHz ten times over.
  public init(
    files: [TargetPath], periodNanoseconds: Int64, capacity: Int = 65_536,
    realtimePriority: Int? = 50, onBoard: OnBoard = .auto, buffer: Int? = nil,
    limitSeconds: Double = 86_400
  ) {
    self.files = files
    self.periodNanoseconds = periodNanoseconds
    self.capacity = capacity
    self.realtimePriority = realtimePriority
    self.onBoard = onBoard
    self.buffer = buffer
    self.limitSeconds = limitSeconds
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
  /// Takes the suspends that were noticed since the last call. After a ``drain()``, those of its samples are among
  /// what was taken until then, and perhaps such whose samples are still to come.
  func suspensions() -> [Suspension]
  /// Stops, and gives what was counted. Samples not yet drained stay for a last ``drain()``.
  /// Idempotent.
  func stop() async -> SampleSummary
}

extension SampleSource {
  public func suspensions() -> [Suspension] { [] }
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
  /// How the times of a board's own clock were put on the host's; nil when the host read its own.
  public var clock: ClockFit?
  /// Nanoseconds by which a sample's time can be wrong through that; nil when the host read its own.
  public var clockBound: Int64?
  /// Of the times that were handed over, which are the host's already: how true they are.
  public var hostClock: ClockFit {
    guard let clock, let clockBound else { return .host }
    return ClockFit(
      origin: 0, offset: 0, skew: 0, uncertainty: Double(clockBound) / 3.0.squareRoot(),
      residual: clock.residual, count: clock.count)
  }
  /// What the sampling did to the board from start to stop; nil when it was not measured.
  public var probe: ProbeEffect?

  /// Creates an empty summary.
  public init() {}
}

/// What Kelvin's sampling did to a board from start to stop, as the board's kernel counted it; nil where
/// it does not.
public struct ProbeEffect: Sendable, Hashable {
  /// Nanoseconds from start to stop.
  public var window: Int64
  /// The sampler's own: how often it slept and woke, and was put aside for others; pages it had to wait
  /// for; bytes that it wrote to and read from the link.
  public var wakeUps: Int64
  public var preemptions: Int64
  public var pageFaults: Int64
  public var bytesOut: Int64
  public var bytesIn: Int64
  /// Of the process at the board's end of the link (sshd, adbd): CPU nanoseconds, and how often it was
  /// given a CPU.
  public var linkCPUNanoseconds: Int64?
  public var linkWakeUps: Int64?
  /// Processes and threads that the whole board started, the workload's included. The sampler starts
  /// none.
  public var boardForks: Int64?
}
