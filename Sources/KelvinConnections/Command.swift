public import KelvinModel

/// A command to run on a target: an argument vector, never a shell line.
public struct Command: Sendable, Hashable {
  /// The program and its arguments; a name without a slash is looked up on the target's PATH.
  public var argv: [String]
  /// Added to the target's own environment.
  public var environment: [String: String]
  public var workingDirectory: TargetPath?
  public var standardInput: Input
  public var standardOutput: Output
  public var standardError: Output
  /// CPUs that the command may run on; nil leaves them as they are.
  public var affinity: [Int]?
  /// -20...19; nil leaves it as it is.
  public var niceness: Int?
  /// SCHED_FIFO priority 1...99; nil leaves the policy as it is.
  public var realtimePriority: Int?
  /// End every descendant when the command ends, also those that left its process group.
  public var endsDescendants: Bool
  /// Run it as root, by the way that the connection has.
  public var asRoot: Bool
  /// Seconds between SIGTERM and SIGKILL when the command must be ended.
  public var grace: Double

  public enum Input: Sendable, Hashable {
    case null
    case bytes([UInt8])
    /// What can be read from a descriptor of this process, as it comes, to its end. It is not closed.
    case descriptor(Int32)
  }

  /// What happens to an output stream.
  public enum Output: Sendable, Hashable {
    /// Kept in memory up to `limit` bytes, the rest counted.
    case capture(limit: Int)
    /// Written to a host file up to `limit` bytes, the rest counted; the file is created at the
    /// first byte.
    case file(String, limit: Int)
    /// Written to a descriptor of this process, as it comes; one that takes nothing holds the command
    /// up, its deadline included. It is not closed.
    case descriptor(Int32)
    case discard
  }

  /// 64 MiB, the default limit of an output stream (DESIGN 5b).
  public static let outputLimit = 64 << 20

  /// Creates a command with captured output and no changes to its scheduling.
  public init(
    _ argv: [String], environment: [String: String] = [:], workingDirectory: TargetPath? = nil,
    standardInput: Input = .null, standardOutput: Output = .capture(limit: Command.outputLimit),
    standardError: Output = .capture(limit: Command.outputLimit), affinity: [Int]? = nil,
    niceness: Int? = nil, realtimePriority: Int? = nil, endsDescendants: Bool = true,
    asRoot: Bool = false, grace: Double = 2
  ) {
    self.argv = argv
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.standardInput = standardInput
    self.standardOutput = standardOutput
    self.standardError = standardError
    self.affinity = affinity
    self.niceness = niceness
    self.realtimePriority = realtimePriority
    self.endsDescendants = endsDescendants
    self.asRoot = asRoot
    self.grace = grace
  }
}

/// A command that is running on a target.
public protocol RemoteProcess: Sendable {
  /// On the target.
  var processID: Int32 { get }
  /// Field 22 of /proc/PID/stat: with the process id it names the process for this boot. Nil when
  /// it could not be read.
  var startTicks: UInt64? { get }
  /// Just before the program started, on the host's clock.
  var startTime: MonotonicTime { get }

  /// Waits for the end, collects the output, and ends what the command left running.
  ///
  /// When the deadline passes or is interrupted, the whole tree gets SIGTERM, after the command's
  /// grace SIGKILL, and the failure carries the partial result.
  func wait(until deadline: Deadline) async throws(ConnectionFailure) -> CommandResult

  /// Sends a signal to the command's process group; nothing after its end. Also while another thread
  /// waits for that, except over a console.
  func signal(_ number: Int32) async throws(ConnectionFailure)
}

/// How a command ended and what it printed.
public struct CommandResult: Sendable, Hashable {
  public enum Termination: Sendable, Hashable {
    case exited(Int32)
    case signaled(Int32)
  }

  public var termination: Termination
  public var standardOutput: CapturedOutput
  public var standardError: CapturedOutput
  /// Just before the program started and when its end was seen, on the host's clock.
  public var startTime: MonotonicTime
  public var endTime: MonotonicTime
  /// CPU time of the command and its waited-for children; nil where the connection cannot tell.
  public var cpuNanoseconds: Int64?
  /// Peak memory in bytes; nil where the connection cannot tell. On this machine that is so below
  /// Kelvin's own peak: exec(2) keeps the high-water mark of the process that spawned.
  public var peakMemory: Int64?
  /// Descendants that were still running at the end and were ended.
  public var endedDescendants: Int

  /// Whether the command exited with 0.
  public var isSuccess: Bool { termination == .exited(0) }

  /// Creates a result.
  public init(
    termination: Termination, standardOutput: CapturedOutput, standardError: CapturedOutput,
    startTime: MonotonicTime, endTime: MonotonicTime, cpuNanoseconds: Int64? = nil,
    peakMemory: Int64? = nil, endedDescendants: Int = 0
  ) {
    self.termination = termination
    self.standardOutput = standardOutput
    self.standardError = standardError
    self.startTime = startTime
    self.endTime = endTime
    self.cpuNanoseconds = cpuNanoseconds
    self.peakMemory = peakMemory
    self.endedDescendants = endedDescendants
  }
}

/// What a stream carried: the bytes that were kept in memory, and how many there were.
public struct CapturedOutput: Sendable, Hashable {
  /// Empty when the output went to a file.
  public var bytes: [UInt8]
  public var totalBytes: Int64
  /// Bytes that were kept, in memory or in the file.
  public var keptBytes: Int64

  /// Whether the limit cut something off.
  public var isTruncated: Bool { totalBytes > keptBytes }

  /// The bytes as text; what is not UTF-8 becomes U+FFFD.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Creates a record.
  public init(bytes: [UInt8] = [], totalBytes: Int64 = 0, keptBytes: Int64 = 0) {
    self.bytes = bytes
    self.totalBytes = totalBytes
    self.keptBytes = keptBytes
  }
}
