internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// A command on a board with all that it started, looked for by the board itself: lists of all its
/// processes would take a serial line a second.
struct ConsoleTree {
  let marker: String
  /// Nil when it is not known: then only the marker and the chain of parents tell.
  let root: Int32?
  /// Nil when it could not be read; then the same.
  let startTicks: UInt64?

  /// Runs a script where ``ConsoleLibrary`` is known.
  typealias Run = (_ script: String, _ deadline: Deadline) throws(ConnectionFailure) -> ShellReply

  /// Ends the tree: SIGTERM, after `grace` seconds SIGKILL, until nothing is left or it takes too long.
  func end(grace: Double, by run: Run) throws(ConnectionFailure) -> ProcessTree.Ending {
    var found: Set<ProcessIdentity> = []
    func signal(_ numbers: String) throws(ConnectionFailure) -> Set<ProcessIdentity> {
      let reply = try run(
        "k_k '\(numbers)' '\(marker)' \(ConsoleTree.words(root: root, startTicks))",
        .after(seconds: 15))
      let members = ConsoleTree.members(in: reply.output)
      found.formUnion(members)
      return members
    }
    var members: Set<ProcessIdentity>
    if grace > 0 {
      members = try signal("TERM CONT")
      let graceEnd = Deadline.after(seconds: grace)
      var pause = 0.02
      while !members.isEmpty, !graceEnd.hasPassed {
        // Nothing wakes the host when a process of the target ends.
        _ = graceEnd.limited(toSeconds: pause).wait()
        pause = min(0.5, pause * 2)
        members = try signal("0")
      }
      if members.isEmpty { return ProcessTree.Ending(count: found.count, survivors: []) }
    }
    let limit = Deadline.after(seconds: 10)
    repeat {
      // Stopped first, so that nothing forks while it is looked for.
      _ = try signal("STOP")
      _ = try signal("KILL")
      members = try signal("0")
    } while !members.isEmpty && !limit.hasPassed
    return ProcessTree.Ending(count: found.count - members.count, survivors: members)
  }

  /// As `k_m` takes them.
  static func words(
    root: Int32?, _ startTicks: UInt64?, unless spared: SignalGuard = SignalGuard()
  ) -> String {
    guard let root, let startTicks, spared.allows(root, startTicks: startTicks) else {
      return "- -"
    }
    return "\(root) \(startTicks)"
  }

  /// Reads lines of a process id and when it began.
  static func members(in text: [UInt8]) -> Set<ProcessIdentity> {
    var members: Set<ProcessIdentity> = []
    for line in text.split(separator: 10) {
      let words = String(decoding: line, as: UTF8.self).split(separator: " ")
      guard words.count == 2, let id = Int32(words[0]), let start = UInt64(words[1]) else {
        continue
      }
      members.insert(ProcessIdentity(processID: id, startTicks: start))
    }
    return members
  }
}
