/// Names a process for one boot of its machine; a process id alone is reused.
public struct ProcessIdentity: Hashable, Sendable, Codable {
  public let processID: Int32
  /// Field 22 of /proc/PID/stat: when the process started, in clock ticks since boot.
  public let startTicks: UInt64

  /// Creates an identity from its parts.
  public init(processID: Int32, startTicks: UInt64) {
    self.processID = processID
    self.startTicks = startTicks
  }

  /// The identity of a process of this machine; nil when there is none of that id.
  public init?(processID: Int32) {
    guard let entry = ProcessTable.entry(of: processID) else { return nil }
    self = entry.identity
  }

  /// Whether exactly this process still runs on this machine; a zombie does not run.
  public var isRunning: Bool {
    guard let entry = ProcessTable.entry(of: processID) else { return false }
    return entry.identity == self && !entry.isZombie
  }
}
