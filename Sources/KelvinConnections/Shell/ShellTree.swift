internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// A command that runs behind a shell, with all that it started, seen and ended through another
/// shell of the same target.
///
/// A process belongs to it when it is the command, is in the command's session, carries its marker
/// in its environment, or descends from such a process. There is no subreaper on the target: a
/// daemon that both clears its environment and leaves the session after its parents have ended is
/// not found.
struct ShellTree: Sendable {
  let root: Int32
  /// Nil when it could not be read; then only the marker and the chain of parents tell.
  let startTicks: UInt64?
  /// `NAME=VALUE`, of safe characters.
  let marker: String

  /// Runs a script in a shell that is not part of the tree.
  typealias Run = (_ script: String, _ deadline: Deadline) throws(ConnectionFailure) ->
    ShellChannel.Reply

  /// Ends the tree: SIGTERM, after `grace` seconds SIGKILL, until nothing is left or it takes too
  /// long.
  ///
  /// - Parameters:
  ///   - isYoung: whether the command began so shortly ago that all it started have higher process
  ///     ids than its own, or process ids have begun anew.
  ///   - meanwhile: takes what the command prints for up to so many milliseconds.
  /// - Returns: how many processes were ended, and what is left.
  func end(
    grace: Double, isYoung: Bool = false, by run: Run,
    meanwhile: (_ milliseconds: Int32) -> Void = { _ in }
  ) throws(ConnectionFailure) -> ProcessTree.Ending {
    var found: Set<ProcessIdentity> = []
    var members = try self.members(isYoung: isYoung, by: run)
    found.formUnion(members)
    if grace > 0, !members.isEmpty {
      try signal(members, [SIGTERM, SIGCONT], by: run)
      let graceEnd = Deadline.after(seconds: grace)
      while !members.isEmpty, !graceEnd.hasPassed {
        // Nothing wakes the host when a process of the target ends.
        meanwhile(min(20, graceEnd.pollMilliseconds))
        members = try self.members(by: run)
        found.formUnion(members)
      }
    }
    let limit = Deadline.after(seconds: 10)
    while !members.isEmpty, !limit.hasPassed {
      // Stopped first, so that nothing forks while it is looked for.
      try signal(members, [SIGSTOP], by: run)
      members.formUnion(try self.members(by: run))
      found.formUnion(members)
      try signal(members, [SIGKILL], by: run)
      members = try self.members(by: run)
      if !members.isEmpty { meanwhile(20) }
      members = try self.members(by: run)
    }
    return ProcessTree.Ending(count: found.count - members.count, survivors: members)
  }

  private func signal(
    _ members: Set<ProcessIdentity>, _ numbers: [Int32], by run: Run
  ) throws(ConnectionFailure) {
    let ids = members.map { "\($0.processID)" }.sorted().joined(separator: " ")
    let script = numbers.map { "kill -\($0) \(ids)" }.joined(separator: "; ")
    _ = try run("{ \(script); } 2>/dev/null; :", .after(seconds: 5))
  }

  /// The living members, in one round trip: /proc/PID/stat of what may belong to the tree, and which
  /// of that carries the marker.
  private func members(
    isYoung: Bool = false, by run: Run
  ) throws(ConnectionFailure) -> Set<ProcessIdentity> {
    let all = "kelvin_s='/proc/[0-9]*/stat'; kelvin_e='/proc/[0-9]*/environ'"
    let choice =
      isYoung
      ? """
      kelvin_s=; kelvin_e=; kelvin_last=0
      read -r kelvin_p kelvin_p kelvin_p kelvin_p kelvin_last </proc/loadavg
      if [ "$kelvin_last" -lt \(root) ]; then \(all)
      else for kelvin_p in /proc/[0-9]*; do [ ${kelvin_p#/proc/} -ge \(root) ] || continue
      kelvin_s="$kelvin_s $kelvin_p/stat"; kelvin_e="$kelvin_e $kelvin_p/environ"; done; fi
      """ : all
    // Who carries the marker goes to standard error: a process can name itself anything, and that
    // name is in its stat.
    let reply = try run(
      """
      \(choice)
      if [ "$kelvin_s" ]; then cat $kelvin_s 2>/dev/null
      { grep -lsF \(marker) $kelvin_e 2>/dev/null; } >&2; fi
      :
      """, .after(seconds: 5))
    let carriers = Set(
      reply.error.split(separator: 10).compactMap { line in
        Int32(String(decoding: line.dropFirst(6).prefix { $0 != 47 }, as: UTF8.self))
      })
    return ShellTree.members(
      stats: reply.output, carriers: carriers, root: root, startTicks: startTicks)
  }

  /// Pure, so that it can be tested on any text.
  static func members(
    stats: [UInt8], carriers: Set<Int32>, root: Int32, startTicks: UInt64?
  ) -> Set<ProcessIdentity> {
    let entries = stats.split(separator: 10).compactMap { line -> ProcessEntry? in
      let digits = line.prefix { $0 != 32 }
      guard let id = Int32(String(decoding: digits, as: UTF8.self)), id > 1 else { return nil }
      return Array(line).withUnsafeBytes { ProcessEntry(processID: id, stat: $0) }
    }.filter { $0.startTicks >= startTicks ?? 0 }
    var belongs: Set<Int32> = carriers
    for entry in entries where startTicks != nil {
      if entry.session == root { belongs.insert(entry.processID) }
      if entry.processID == root, entry.startTicks == startTicks { belongs.insert(root) }
    }
    var isGrowing = true
    while isGrowing {
      isGrowing = false
      for entry in entries where belongs.contains(entry.parent) {
        if belongs.insert(entry.processID).inserted { isGrowing = true }
      }
    }
    return Set(
      entries.filter { belongs.contains($0.processID) && !$0.isZombie }.map(\.identity))
  }
}
