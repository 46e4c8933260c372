public import KelvinModel

/// Something that a Linux kernel, or what starts one, says of itself.
public struct KernelSign: Sendable, Hashable {
  /// What it tells of. docs/recovery.md has the words and their sources.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case panic
    case oops
    /// `kernel BUG at`, and `BUG:` of what has no kind of its own here.
    case bug
    case warning
    case softLockup = "soft lockup"
    case hardLockup = "hard lockup"
    case rcuStall = "RCU stall"
    case hungTask = "hung task"
    case outOfMemory = "out of memory"
    /// A watchdog has bitten, or is about to.
    case watchdog
    case kasan = "KASAN"
    case kmsan = "KMSAN"
    case kcsan = "KCSAN"
    case kfence = "KFENCE"
    case ubsan = "UBSAN"
    case thermalShutdown = "thermal shutdown"
    case machineCheck = "machine check"
    /// The kernel lets go of the board, to have it start anew.
    case reboot
    case powerDown = "power down"
    /// A boot loader has begun.
    case bootLoader = "boot loader started"
    /// A kernel has begun.
    case kernelStarted = "kernel started"

    /// Whether it tells of trouble; a board that starts or stops may have been told to.
    public var isTrouble: Bool {
      switch self {
      case .reboot, .powerDown, .bootLoader, .kernelStarted: false
      default: true
      }
    }

    /// Whether it tells that a board boots.
    public var isStart: Bool { self == .bootLoader || self == .kernelStarted }
  }

  /// What it means for a job that runs.
  public enum Severity: Int, Sendable, Hashable, Comparable {
    /// Worth keeping.
    case note
    /// The board goes on, and the job's figures are suspect.
    case serious
    /// The board does not go on, or not as the same: the job cannot come to a good end.
    case fatal

    public static func < (a: Severity, b: Severity) -> Bool { a.rawValue < b.rawValue }
  }

  /// Of a panic, what led to it where its words say so (a lockup, no memory), else `panic`.
  public let kind: Kind
  public let severity: Severity
  /// Whether it is a panic, whatever its kind.
  public let isPanic: Bool
  /// The line that tells it, fit to be shown: without prefix, controls and what is beyond 240 bytes.
  public internal(set) var line: String
  /// When the bytes arrived, on this host.
  public let time: MonotonicTime
  /// The kernel's own time of that line, in seconds since its boot; nil where the line has none.
  public let kernelTime: Double?
  /// The lines of the kernel's report, as they came but for control sequences, up to its end or to
  /// ``KernelSigns/reportLimit`` bytes. Grows while more arrives.
  public internal(set) var report: [UInt8]
}

extension KernelSign: CustomStringConvertible {
  public var description: String {
    (isPanic && kind != .panic ? "panic (\(kind.rawValue))" : kind.rawValue) + ": '\(line)'"
  }
}
