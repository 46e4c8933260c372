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
  /// Of the boot in which it runs; empty when that is not known. In any other, nothing belongs to it.
  let bootID: String

  /// Runs a script in a shell that is not part of the tree.
  typealias Run = (_ script: String, _ deadline: Deadline) throws(ConnectionFailure) ->
    ShellReply

  /// Ends the tree: SIGTERM, after `grace` seconds SIGKILL, until nothing is left or it takes too
  /// long.
  ///
  /// - Parameters:
  ///   - age: seconds since the command began, where it has ended; nil: any time.
  ///   - meanwhile: takes what the command prints for up to so many milliseconds.
  /// - Returns: how many processes were ended, and what is left.
  func end(
    grace: Double, age: Double? = nil, by run: Run,
    meanwhile: (_ milliseconds: Int32) -> Void = { _ in }
  ) throws(ConnectionFailure) -> ProcessTree.Ending {
    var found: Set<ProcessIdentity> = []
    var members = try self.members(age: age, by: run)
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
    guard let script = ShellTree.signalScript(members, numbers) else { return }
    _ = try run(script, .after(seconds: ShellTree.patience))
  }

  /// The living members: by /proc/PID/stat, and those that are not known by it, by their markers.
  private func members(
    age: Double? = nil, by run: Run
  ) throws(ConnectionFailure) -> Set<ProcessIdentity> {
    let stats = try run(
      ShellScript.inBoot(
        bootID,
        """
        echo $$; \(ShellTree.choice(root: root, age: age))
        kelvin_find grep; if [ -z "$kelvin_s" ]; then :
        elif [ "$kelvin_path" ]; then grep '' /dev/null $kelvin_s; else cat $kelvin_s; fi 2>/dev/null; :
        """),
      .after(seconds: ShellTree.patience)
    ).output
    // What lists the processes is a process itself, of the shell that was asked.
    let asked = ShellTree.askedShell(in: stats)
    var entries = ShellTree.entries(in: stats, since: startTicks).filter { $0.parent != asked }
    let strangers = entries.filter { !ShellTree.belongs($0, to: root, startTicks: startTicks) }
      .map { "\($0.processID)" }
    if strangers.isEmpty {
      entries = ShellTree.tree(of: entries, root: root, startTicks: startTicks, carriers: [])
      return Set(entries.map(\.identity))
    }
    let carriers = try carriers(among: strangers, by: run)
    entries = ShellTree.tree(
      of: entries, root: root, startTicks: startTicks,
      carriers: carriers)
    return Set(entries.map(\.identity))
  }

  /// Sets kelvin_s to the files of those processes that may belong to the command.
  ///
  /// The shell keeps what pid_max is: a shell that reads byte by byte gets one digit of a number in /proc/sys
  /// (kernel/sysctl.c, proc_dointvec), so that it takes a cat.
  ///
  /// Process ids are given out in their order, and begin anew at pid_max (proc(5)). Where so many cannot have been
  /// made since the command began, all that it started have higher ones than its own.
  private static func choice(root: Int32, age: Double?) -> String {
    let all = "kelvin_s='/proc/[0-9]*/stat'"
    let made = (age ?? .infinity) * ShellTree.forksPerSecond
    guard made < Double(Int32.max) else { return all }
    return """
      kelvin_s=; kelvin_last=0
      read -r kelvin_p kelvin_p kelvin_p kelvin_p kelvin_last </proc/loadavg
      [ "$kelvin_max" ] || kelvin_max=$(cat /proc/sys/kernel/pid_max 2>/dev/null)
      if [ "$kelvin_last" -lt \(root) ] || [ "${kelvin_max:-0}" -lt \(Int(made)) ]; then \(all)
      else for kelvin_p in /proc/[0-9]*; do
      [ ${kelvin_p#/proc/} -ge \(root) ] && kelvin_s="$kelvin_s $kelvin_p/stat"; done; fi
      """
  }

  /// More than a board makes, threads included.
  private static let forksPerSecond = 65_536.0

  /// Which of these processes carry the marker.
  ///
  /// One cat prints all their environments, behind each of them its own, which holds nothing but a mark
  /// (`/proc/self/environ`, proc(5)); where that does not come out even, each has a cat of its own. Some
  /// greps end at the first NUL of a line. A process may have any lines in its environment, but none with
  /// the nonce; one whose environment does not end with a NUL spoils the first word of a mark at most.
  private func carriers(
    among strangers: [String], by run: Run
  ) throws(ConnectionFailure) -> Set<Int32> {
    let nonce = ShellChannel.nonce()
    if strangers.count <= ShellTree.catLimit {
      let files = strangers.map { "/proc/\($0)/environ /proc/self/environ" }
      let text = try run(
        """
        kelvin_find cat; [ "$kelvin_path" ] &&
        env -i K= \(nonce)= "$kelvin_path" \(files.joined(separator: " ")) 2>/dev/null |
        tr '\\000' '\\n' | grep -E '^(\(nonce)=|\(marker))$'; :
        """, .after(seconds: ShellTree.patience)
      ).output
      if let found = ShellTree.carriers(in: text, of: strangers, marker: marker, nonce: nonce) {
        return found
      }
    }
    let text = try run(
      """
      for kelvin_p in \(strangers.joined(separator: " ")); do printf '\\n\(nonce)=%s\\n' $kelvin_p
      cat /proc/$kelvin_p/environ; done 2>/dev/null | tr '\\000' '\\n' |
      grep -E '^(\(nonce)=[0-9]+|\(marker))$'; :
      """, .after(seconds: ShellTree.patience)
    ).output
    return ShellTree.carriers(in: text, marker: marker, nonce: nonce)
  }

  /// Seconds that a board may take to show its processes: one that is busy swapping takes its time.
  private static let patience = 30.0
  /// Files of one cat: some 50 bytes each, and a command line may have 128 kB.
  private static let catLimit = 1500

  // MARK: Pure, so that it can be tested on any text

  /// Signals processes in a shell; nil when none of them may be signaled: some shells take an empty
  /// list for their own process group.
  static func signalScript(
    _ members: Set<ProcessIdentity>, _ numbers: [Int32], unless spared: SignalGuard = SignalGuard()
  ) -> String? {
    let ids = members.filter(spared.allows).map(\.processID).sorted()
    guard !ids.isEmpty else { return nil }
    let words = ids.map { "\($0)" }.joined(separator: " ")
    return "{ \(numbers.map { "kill -\($0) \(words)" }.joined(separator: "; ")); } 2>/dev/null; :"
  }

  /// The process id of the shell that was asked, which it says first; nil where it did not.
  static func askedShell(in stats: [UInt8]) -> Int32? {
    Int32(String(decoding: stats.prefix { $0 != 10 }, as: UTF8.self))
  }

  /// The processes in what `grep '' /proc/*/stat` printed, or cat, that began no earlier than the
  /// command. A process may have line ends in its name, and so look like another to cat alone.
  static func entries(in stats: [UInt8], since startTicks: UInt64?) -> [ProcessEntry] {
    var texts: [(id: Int32, text: [UInt8])] = []
    for line in stats.split(separator: 10) {
      let (digits, rest) =
        ShellTree.named(line) ?? (line.prefix(while: { $0 != UInt8(ascii: " ") }), line)
      guard let id = Int32(String(decoding: digits, as: UTF8.self)), id > 1 else { continue }
      if rest.startIndex > line.startIndex, let last = texts.indices.last, texts[last].id == id {
        texts[last].text += [10] + Array(rest)
      } else {
        texts.append((id, Array(rest)))
      }
    }
    return texts.compactMap { id, text in
      text.withUnsafeBytes { ProcessEntry(processID: id, stat: $0) }
    }.filter { $0.startTicks >= startTicks ?? 0 }
  }

  /// Takes `/proc/ID/stat:` off a line.
  private static func named(
    _ line: ArraySlice<UInt8>
  ) -> (id: ArraySlice<UInt8>, rest: ArraySlice<UInt8>)? {
    guard line.starts(with: "/proc/".utf8) else { return nil }
    let digits = line.dropFirst(6).prefix { $0 != UInt8(ascii: "/") }
    let rest = line[digits.endIndex...]
    guard rest.starts(with: "/stat:".utf8) else { return nil }
    return (digits, rest.dropFirst(6))
  }

  /// Which processes carry the marker, by lines `NONCE=`, one behind each of them in their order, and,
  /// before some of those, the marker; nil when their number is another.
  static func carriers(
    in text: [UInt8], of processes: [String], marker: String, nonce: String
  ) -> Set<Int32>? {
    let mark = Array("\(nonce)=".utf8)
    var carriers: Set<Int32> = []
    var rest = processes[...]
    var isCarrier = false
    for line in text.split(separator: 10) {
      if line.elementsEqual(mark) {
        guard let process = rest.popFirst() else { return nil }
        if isCarrier, let id = Int32(process) { carriers.insert(id) }
        isCarrier = false
      } else if line.elementsEqual(marker.utf8) {
        isCarrier = true
      }
    }
    return rest.isEmpty ? carriers : nil
  }

  /// Which processes carry the marker, by lines `NONCE=PID` and, after some of them, the marker.
  static func carriers(in text: [UInt8], marker: String, nonce: String) -> Set<Int32> {
    let head = Array(nonce.utf8) + [UInt8(ascii: "=")]
    var carriers: Set<Int32> = []
    var current: Int32?
    for line in text.split(separator: 10) {
      if line.starts(with: head) {
        current = Int32(String(decoding: line.dropFirst(head.count), as: UTF8.self))
      } else if let id = current, line.elementsEqual(marker.utf8) {
        carriers.insert(id)
      }
    }
    return carriers
  }

  /// The members among the processes: those that belong to it, and all below them; no zombies, and
  /// none that may not be signaled, nor what is below them for that reason alone.
  static func tree(
    of entries: [ProcessEntry], root: Int32, startTicks: UInt64?, carriers: Set<Int32>,
    unless spared: SignalGuard = SignalGuard()
  ) -> [ProcessEntry] {
    let entries = entries.filter { spared.allows($0.identity) }
    var members = carriers.intersection(entries.map(\.processID))
    for entry in entries where belongs(entry, to: root, startTicks: startTicks) {
      members.insert(entry.processID)
    }
    var isGrowing = true
    while isGrowing {
      isGrowing = false
      for entry in entries where members.contains(entry.parent) {
        if members.insert(entry.processID).inserted { isGrowing = true }
      }
    }
    return entries.filter { members.contains($0.processID) && !$0.isZombie }
  }

  /// Whether it is the command, or in its session.
  private static func belongs(
    _ entry: ProcessEntry, to root: Int32, startTicks: UInt64?
  ) -> Bool {
    guard let startTicks, root > 1 else { return false }
    return entry.session == root || entry.processID == root && entry.startTicks == startTicks
  }
}
