internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A command's process with all that it started: its process group, its children and theirs, and
/// daemons that left both.
///
/// A process belongs to the tree when one of these holds:
/// 1. its chain of parents leads to the command;
/// 2. it carries the command's marker in its environment (inherited by every descendant that does
///    not clear it);
/// 3. it was adopted by this process (a subreaper), is none of the launcher's own children, carries
///    no command's marker, began after the command, and no other command is live to which it could
///    belong: this finds daemons that cleared their environment.
/// And everything below such a process belongs to it too.
///
/// Commands run in sessions of their own, and no process can enter another's session. So nothing in
/// this process's own session is ever touched: that is where the children are that other code of
/// this process started. Code that starts session leaders itself must do so by the launcher.
struct ProcessTree {
  let root: Int32
  /// `NAME=VALUE`.
  let marker: String
  /// When the command began; nil when that could not be read, and then rule 3 finds nothing.
  let startTicks: UInt64?

  /// Whether anything may be left of a command that has ended and was reaped: two system calls, no
  /// scan.
  static func mayHaveLeftovers(group: Int32) -> Bool {
    if kill(-group, 0) == 0 || errno == EPERM { return true }
    return kelvin_has_children() != 0
  }

  /// What ``end(grace:meanwhile:)`` found.
  struct Ending {
    /// How many processes were ended.
    var count: Int
    /// What could not be ended: not permitted, or stuck in the kernel.
    var survivors: Set<ProcessIdentity>
  }

  /// Ends the whole tree: SIGTERM, then after `grace` seconds SIGKILL, until nothing is left, and
  /// reaps what this process adopted.
  ///
  /// - Parameter meanwhile: called while waiting, so that nobody blocks on a full pipe.
  func end(grace: Double, meanwhile: () -> Void = {}) -> Ending {
    var found: Set<ProcessIdentity> = []
    var forbidden: Set<ProcessIdentity> = []
    var members = self.members()
    found.formUnion(members)
    if grace > 0, !members.isEmpty {
      for member in members where !signal(member, SIGTERM) { forbidden.insert(member) }
      wait(for: members.subtracting(forbidden), seconds: grace, meanwhile)
    }
    // A tree that forks faster than it is killed is stopped first; ten rounds end any other.
    for _ in 0..<10 {
      members = self.members().subtracting(forbidden)
      guard !members.isEmpty else { break }
      found.formUnion(members)
      for member in members where !signal(member, SIGSTOP) { forbidden.insert(member) }
      members.formUnion(self.members())
      found.formUnion(members)
      for member in members where !signal(member, SIGKILL) { forbidden.insert(member) }
      wait(for: members.subtracting(forbidden), seconds: 2, meanwhile)
    }
    let survivors = members.union(forbidden).filter(\.isAlive)
    return Ending(count: found.count - survivors.count, survivors: survivors)
  }

  /// - Returns: false when this process may not signal it.
  private func signal(_ member: ProcessIdentity, _ number: Int32) -> Bool {
    let spared = SignalGuard()
    guard member.signal(number, unless: spared) else { return false }
    // A stopped process acts on SIGTERM only when it goes on.
    if number == SIGTERM { _ = member.signal(SIGCONT, unless: spared) }
    return true
  }

  /// Waits until all have ended.
  private func wait(for members: Set<ProcessIdentity>, seconds: Double, _ meanwhile: () -> Void) {
    let deadline = Deadline.after(seconds: seconds)
    for member in members {
      let descriptor = kelvin_pidfd_open(member.processID, 0)
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      while member.isAlive, !deadline.hasPassed {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        // Woken now and then to empty the pipes.
        poll(&waiting, 1, min(20, deadline.pollMilliseconds))
        meanwhile()
      }
    }
  }

  /// The living members of the tree. Orphans that ended by themselves are reaped on the way.
  func members() -> Set<ProcessIdentity> {
    let own = getpid()
    let session = getsid(0)
    let assignment = Array(marker.utf8)
    // A child that another thread starts while /proc is read is in one of the two.
    let before = ProcessLauncher.live.withLock { Set($0.keys) }
    let spared = SignalGuard()
    let all = ProcessEntry.all().filter { $0.session != session && spared.allows($0.identity) }
    let live = before.union(ProcessLauncher.live.withLock { Set($0.keys) })
    let isAlone = live.isSubset(of: [root])
    var belongs: Set<Int32> = [root]
    for entry in all where !belongs.contains(entry.processID) {
      let isAdopted = entry.parent == own && !live.contains(entry.processID)
      if entry.isZombie {
        // By its id alone, and never one that is waited for.
        if isAdopted { waitpid(entry.processID, nil, WNOHANG) }
        continue
      }
      // What is older than the command cannot have come from it: most of /proc is.
      guard entry.startTicks >= startTicks ?? 0 else { continue }
      if entry.session == root || entry.group == root || entry.hasEnvironment(assignment)
        || (isAdopted && isAlone && startTicks != nil && !entry.hasVariable("KELVIN_COMMAND"))
      {
        belongs.insert(entry.processID)
      }
    }
    // Children may be listed before their parents: repeat until nothing is added.
    var isGrowing = true
    while isGrowing {
      isGrowing = false
      for entry in all where belongs.contains(entry.parent) {
        if belongs.insert(entry.processID).inserted { isGrowing = true }
      }
    }
    return Set(all.filter { belongs.contains($0.processID) && !$0.isZombie }.map(\.identity))
  }
}
