internal import CLinux
internal import Glibc
internal import KelvinModel
internal import Synchronization

/// A command's process with all that it started: its process group, its children and theirs, and
/// daemons that left both.
///
/// A process belongs to the tree when one of these holds:
/// 1. its chain of parents leads to the command;
/// 2. it carries the command's marker in its environment (inherited by every descendant that does
///    not clear it);
/// 3. it was adopted by this process (a subreaper), is none of the launcher's own children, began
///    after the command in a session of its own, and no other command is live to which it could
///    belong: this finds daemons that cleared their environment. Children that other code of this
///    process started are in its own session, and so are left alone.
/// And everything below such a process belongs to it too.
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

  /// Ends the whole tree: SIGTERM, then after `grace` seconds SIGKILL, until nothing is left.
  ///
  /// - Parameter meanwhile: called while waiting, so that nobody blocks on a full pipe.
  /// - Returns: how many processes were found.
  func end(grace: Double, meanwhile: () -> Void = {}) -> Int {
    var found: Set<ProcessIdentity> = []
    var members = self.members()
    found.formUnion(members)
    if grace > 0, !members.isEmpty {
      for member in members { signal(member, SIGTERM) }
      wait(for: members, seconds: grace, meanwhile)
    }
    // A tree that forks faster than it is killed is stopped first; ten rounds end any other.
    for _ in 0..<10 {
      members = self.members()
      guard !members.isEmpty else { break }
      found.formUnion(members)
      for member in members { signal(member, SIGSTOP) }
      members.formUnion(self.members())
      found.formUnion(members)
      for member in members { signal(member, SIGKILL) }
      wait(for: members, seconds: 2, meanwhile)
    }
    return found.count
  }

  private func signal(_ member: ProcessIdentity, _ number: Int32) {
    guard member.isAlive else { return }
    kill(member.processID, number)
    // A stopped process acts on SIGTERM only when it goes on.
    if number == SIGTERM { kill(member.processID, SIGCONT) }
  }

  /// Waits until all have ended, and reaps those that this process adopted.
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
      reapIfAdopted(member.processID)
    }
  }

  private func reapIfAdopted(_ processID: Int32) {
    let isOurs = ProcessLauncher.live.withLock { $0[processID] != nil }
    guard !isOurs else { return }
    // Not our child: ECHILD, and nothing happens.
    waitpid(processID, nil, WNOHANG)
  }

  /// The living members of the tree.
  func members() -> Set<ProcessIdentity> {
    let own = getpid()
    let assignment = Array(marker.utf8)
    // A child that another thread starts while /proc is read is in one of the two.
    let before = ProcessLauncher.live.withLock { Set($0.keys) }
    let all = ProcessEntry.all()
    let live = before.union(ProcessLauncher.live.withLock { Set($0.keys) })
    let isAlone = live.isSubset(of: [root])
    let session = getsid(0)
    var belongs: Set<Int32> = [root]
    for entry in all where entry.processID != own && !belongs.contains(entry.processID) {
      let isAdopted =
        entry.parent == own && !live.contains(entry.processID) && entry.session != session
        && startTicks.map { entry.startTicks >= $0 } ?? false
      if entry.group == root || entry.session == root || entry.hasEnvironment(assignment)
        || (isAdopted && isAlone)
      {
        belongs.insert(entry.processID)
      }
    }
    // Children may be listed before their parents: repeat until nothing is added.
    var isGrowing = true
    while isGrowing {
      isGrowing = false
      for entry in all where belongs.contains(entry.parent) && entry.processID != own {
        if belongs.insert(entry.processID).inserted { isGrowing = true }
      }
    }
    return Set(
      all.filter { belongs.contains($0.processID) && !$0.isZombie }.map(\.identity))
  }
}
