internal import CLinux
internal import Glibc

/// Says which processes may be signaled at all, whoever asks for it: what a board answers, and what a
/// file holds, may name any.
///
/// Never signaled are process ids of 1 and less, which stand for init and, to kill(2), for whole groups
/// and for everything; and this process with those that it was started by.
package struct SignalGuard {
  private let spared: [Int32: UInt64]

  /// Takes note of this process and its ancestors, as they are now.
  package init() {
    var spared: [Int32: UInt64] = [:]
    var processID = getpid()
    while processID > 1, spared[processID] == nil, let entry = ProcessEntry(processID: processID) {
      spared[processID] = entry.startTicks
      processID = entry.parent
    }
    spared[getpid()] = spared[getpid()] ?? 0
    self.spared = spared
  }

  /// Whether a process may be signaled.
  ///
  /// - Parameter startTicks: tells a board's process from one of this machine that has the same number;
  ///   nil, it is not known: then the number alone decides.
  package func allows(_ processID: Int32, startTicks: UInt64?) -> Bool {
    guard processID > 1 else { return false }
    guard let own = spared[processID] else { return true }
    guard let startTicks else { return false }
    return own != 0 && own != startTicks
  }

  /// Whether a process may be signaled.
  package func allows(_ process: ProcessIdentity) -> Bool {
    allows(process.processID, startTicks: process.startTicks)
  }
}

extension ProcessIdentity {
  /// Signals this very process of this machine, if it still runs; another that has got its number
  /// since is left alone.
  ///
  /// - Returns: false when this process may not signal it, or ``SignalGuard`` forbids it.
  package func signal(_ number: Int32, unless spared: SignalGuard = SignalGuard()) -> Bool {
    guard spared.allows(self) else { return false }
    let descriptor = kelvin_pidfd_open(processID, 0)
    guard descriptor >= 0 else { return true }
    defer { close(descriptor) }
    // The descriptor stands for one process; only now is it known for which.
    guard isAlive else { return true }
    return kelvin_pidfd_send_signal(descriptor, number) == 0 || errno != EPERM
  }
}
