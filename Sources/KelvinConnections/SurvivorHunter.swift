internal import CLinux
internal import Glibc
public import KelvinModel
public import KelvinSystem

/// Finds and ends what a Kelvin that died left running on this machine.
public enum SurvivorHunter {
  /// Ends every process whose environment holds `assignment`, and the named ones that still run:
  /// SIGTERM, after `grace` seconds SIGKILL, repeated until none is left or the deadline passes.
  ///
  /// A process id that belongs to another process by now is left alone, and so are this process and
  /// those that it was started by.
  /// - Parameter assignment: `NAME=VALUE`, as the processes were started with.
  /// - Returns: what was ended.
  public static func endProcesses(
    withEnvironment assignment: String, alsoIdentities identities: [ProcessIdentity],
    grace: Double, until deadline: Deadline
  ) -> [ProcessIdentity] {
    let marker = Array(assignment.utf8)
    var ended: Set<ProcessIdentity> = []
    let graceEnd = deadline.limited(toSeconds: grace)
    var isFirst = grace > 0
    while true {
      let found = survivors(marker, identities)
      ended.formUnion(found)
      guard !found.isEmpty, !deadline.hasPassed else { break }
      for survivor in found where survivor.isAlive {
        _ = survivor.signal(isFirst ? SIGTERM : SIGKILL)
        _ = survivor.signal(SIGCONT)
      }
      let limit = isFirst ? graceEnd : deadline.limited(toSeconds: 1)
      for survivor in found { wait(for: survivor, until: limit) }
      isFirst = false
    }
    return ended.sorted { $0.processID < $1.processID }
  }

  static func survivors(
    _ marker: [UInt8], _ identities: [ProcessIdentity], unless spared: SignalGuard = SignalGuard()
  ) -> [ProcessIdentity] {
    var found = Set(identities.filter(\.isAlive))
    for entry in ProcessEntry.all() where !entry.isZombie && entry.hasEnvironment(marker) {
      found.insert(entry.identity)
    }
    return found.filter(spared.allows)
  }

  private static func wait(for survivor: ProcessIdentity, until deadline: Deadline) {
    let descriptor = kelvin_pidfd_open(survivor.processID, 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    guard survivor.isAlive else { return }
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    poll(&waiting, 1, deadline.pollMilliseconds)
  }
}
