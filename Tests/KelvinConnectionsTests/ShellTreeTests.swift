import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Which processes of a target belong to a command.
@Suite struct ShellTreeTests {
  static func stat(
    _ id: Int32, parent: Int32, session: Int32, ticks: Int, state: String = "S"
  )
    -> String
  {
    "\(id) (na) me) \(state) \(parent) \(session) \(session) 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 \(ticks) 1 1\n"
  }

  static func members(_ text: String, carriers: Set<Int32> = []) -> Set<Int32> {
    let entries = ShellTree.entries(in: Array(text.utf8), since: 100)
    return Set(
      ShellTree.tree(of: entries, root: 50, startTicks: 100, carriers: carriers).map(\.processID))
  }

  @Test func theCommandItsSessionItsCarriersAndAllBelowThemBelong() {
    let text =
      Self.stat(50, parent: 40, session: 50, ticks: 100)
      + Self.stat(51, parent: 1, session: 50, ticks: 101)
      + Self.stat(60, parent: 1, session: 60, ticks: 102)
      + Self.stat(62, parent: 61, session: 62, ticks: 104)
      + Self.stat(61, parent: 60, session: 61, ticks: 103)
      + Self.stat(70, parent: 1, session: 70, ticks: 105)
      + Self.stat(52, parent: 50, session: 50, ticks: 101, state: "Z")
    #expect(Self.members(text) == [50, 51])
    #expect(Self.members(text, carriers: [60]) == [50, 51, 60, 61, 62])
  }

  @Test func whatBeganBeforeTheCommandIsAnothers() {
    #expect(Self.members(Self.stat(50, parent: 1, session: 50, ticks: 99)).isEmpty)
    #expect(Self.members(Self.stat(1, parent: 0, session: 50, ticks: 100)).isEmpty)
  }

  @Test func textThatIsCutOrNoStatGivesNothingElse() {
    let text = Self.stat(50, parent: 40, session: 50, ticks: 100)
    for count in 0..<(text.utf8.count - 5) {
      let found = Self.members(String(text.prefix(count)))
      #expect(found.isEmpty || found == [50])
    }
    #expect(Self.members("\n\n50\n50 (\nx (y) S 1\n-5 (a) S 1 1 1\n").isEmpty)
  }

  @Test func aMarkerCountsOnlyAsAWholeLineBelowItsProcess() {
    let text =
      "KELVIN_COMMAND=a\nn=7\nKELVIN_COMMAND=ab\nn=8\nKELVIN_COMMAND=a\nn=x\nKELVIN_COMMAND=a\nn=9\n"
      + "=10\nm=11\n"
    #expect(
      ShellTree.carriers(in: Array(text.utf8), marker: "KELVIN_COMMAND=a", nonce: "n") == [8])
  }

  @Test func aProcessCannotBeNamedAsAnother() {
    let name = "50 (x\n77 (a) S 4) S 40 50 50 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 1 1"
    let text =
      name.split(separator: "\n").map { "/proc/50/stat:\($0)\n" }.joined()
      + "/proc/60/stat:" + Self.stat(60, parent: 50, session: 60, ticks: 101)
    #expect(Self.members(text) == [50, 60])
  }

  @Test func noRootThatIsNoCommandHasMembers() {
    let text =
      Self.stat(2, parent: 0, session: 0, ticks: 100)
      + Self.stat(3, parent: 2, session: 0, ticks: 100)
      + Self.stat(70, parent: 1, session: 1, ticks: 105)
      + Self.stat(71, parent: 1, session: -1, ticks: 105)
    let entries = ShellTree.entries(in: Array(text.utf8), since: 100)
    for root: Int32 in [.min, -1, 0, 1] {
      #expect(
        ShellTree.tree(of: entries, root: root, startTicks: 100, carriers: [.min, -1, 0, 1])
          .isEmpty,
        "\(root)")
    }
  }

  /// Whatever a board lists: the numbers of this process and of those above it are real.
  @Test func thisProcessAndItsParentAreNeverMembersNorSignaled() throws {
    let own = try #require(ProcessEntry(processID: getpid()))
    let parent = try #require(ProcessEntry(processID: getppid()))
    let child = own.startTicks + 1
    let text =
      [own, parent].map {
        Self.stat($0.processID, parent: $0.parent, session: 50, ticks: Int($0.startTicks))
      }.joined() + Self.stat(9_999_999, parent: getppid(), session: 9, ticks: Int(child))
    let entries = ShellTree.entries(in: Array(text.utf8), since: 0)
    #expect(entries.count == 3)
    #expect(
      ShellTree.tree(
        of: entries, root: 50, startTicks: 100, carriers: [getpid(), getppid(), 1, 0, -1]
      ).isEmpty)
    let never: Set = [
      own.identity, parent.identity, ProcessIdentity(processID: 1, startTicks: 5),
      ProcessIdentity(processID: 0, startTicks: 5), ProcessIdentity(processID: -1, startTicks: 5)
    ]
    #expect(ShellTree.signalScript(never, [SIGKILL]) == nil)
    #expect(ShellTree.signalScript([], [SIGKILL]) == nil)
    let other = ProcessIdentity(processID: 9_999_999, startTicks: 7)
    #expect(
      ShellTree.signalScript(never.union([other]), [SIGTERM, SIGCONT])
        == "{ kill -15 9999999; kill -18 9999999; } 2>/dev/null; :")
    #expect(SurvivorHunter.survivors([], Array(never)).isEmpty)
    for process in never {
      #expect(ConsoleTree.words(root: process.processID, process.startTicks) == "- -")
    }
    #expect(ConsoleTree.words(root: nil, 7) == "- -")
    #expect(ConsoleTree.words(root: 77, nil) == "- -")
    #expect(ConsoleTree.words(root: 9_999_999, 7) == "9999999 7")
  }

  /// What lists the processes is a child of the shell that was asked, and no reason to look at environments.
  @Test(arguments: [(77, true), (78, false)])
  func theListsOwnProcessIsNoStranger(parent: Int, isOwn: Bool) throws {
    let tree = ShellTree(root: 50, startTicks: 100, marker: "M=1", bootID: "")
    var scripts: [String] = []
    let ending = try tree.end(grace: 1, age: 1) { script, _ in
      scripts.append(script)
      let list = "77\n" + Self.stat(80, parent: Int32(parent), session: 77, ticks: 200)
      return ShellReply(output: Array(list.utf8), error: [], status: 0)
    }
    #expect(ending.count == 0 && (scripts.count == 1) == isOwn)
  }

  /// Only those that began later are listed where process ids cannot have begun anew.
  @Test(arguments: [(0.1, true), (nil, false), (1e9, false), (3600, false)])
  func allAreListedWhereIdsMayHaveBegunAnew(age: Double?, isYoung: Bool) async throws {
    let shell = ShellConnection(argv: ["dash"])
    let process = try await shell.start(
      Command(["sleep", "300"]), until: .after(seconds: 20))
    let tree = ShellTree(
      root: process.processID, startTicks: process.startTicks, marker: "M=1", bootID: "")
    var first: [UInt8]?
    _ = try tree.end(grace: 0, age: age) { script, deadline throws(ConnectionFailure) in
      let reply = try shell.run(script, until: deadline)
      first = first ?? reply.output
      return reply
    }
    let listed = ShellTree.entries(in: try #require(first), since: nil).map(\.processID)
    #expect(listed.contains(process.processID))
    #expect(listed.contains { $0 < process.processID } != isYoung, "\(listed.count)")
    await shell.close()
  }

  /// What one cat of many environments printed says whose is whose only when it comes out even.
  @Test func whoCarriesAMarkerIsToldByMarksThatComeOutEven() {
    func carriers(_ text: String) -> Set<Int32>? {
      ShellTree.carriers(in: Array(text.utf8), of: ["7", "8", "9"], marker: "M=1", nonce: "n")
    }
    #expect(carriers("n=\nn=\nn=\n") == [])
    #expect(carriers("n=\nM=1\nn=\nn=\n") == [8])
    #expect(carriers("M=1\nn=\nM=1\nM=1\nn=\nM=1\nn=\n") == [7, 8, 9])
    #expect(carriers("M=1\nn=\nn=\n") == nil)
    #expect(carriers("n=\nn=\nM=1\nn=\nn=\n") == nil)
    #expect(carriers("") == nil)
    let whole = "n=\nM=1\nn=\nn=\n"
    for count in 0..<(whole.utf8.count - 1) {
      #expect(carriers(String(whole.prefix(count))) == nil)
    }
  }

  /// busybox's kill takes an empty word for its own process group. Nothing is signaled: kill prints.
  @Test(arguments: [["dash"], ["bash"], ["busybox", "ash"], ["mksh"]])
  func aDetachedCommandsWatchEndsNothingThatIsNoProcess(shell: [String]) async throws {
    let line = try #require(
      DetachedScript.runner.split(separator: "\n").first { $0.hasPrefix("k_kill()") })
    let script = """
      kill() { echo "$@"; }
      \(line)
      for i in '' 0 00 1 -1 -77 x 7x '7 1' 12345; do k_kill TERM "$i"; done
      """
    let result = try await LocalConnection().execute(
      Command(shell + ["-c", script]), until: .after(seconds: 20))
    #expect(result.standardOutput.text == "-TERM 12345\n")
  }

  @Test func theRootAndWhatHasNoNameIsNotRemoved() {
    for path in ["", "/", "//", "/.", "/./", "..", "/a/..", "/a/../", ".", "a\0b"] {
      #expect(throws: ConnectionFailure.self, "\(path)") {
        try TargetPath(path).checkRemovable(connection: "a board")
      }
    }
    for path in ["/a", "/a/", "/../a", "a", "/...", "/a/..b"] {
      #expect(throws: Never.self, "\(path)") {
        try TargetPath(path).checkRemovable(connection: "a board")
      }
    }
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["dash", "bash", "busybox", "mksh"])
  func nothingOfAnotherBootIsEnded(shell: String) async throws {
    let connection = ShellConnection(argv: shell == "busybox" ? ["busybox", "ash"] : [shell])
    let process = try await connection.start(
      Command(["sleep", "300"]), until: .after(seconds: 20))
    func tree(_ bootID: String) -> ShellTree {
      ShellTree(
        root: process.processID, startTicks: process.startTicks, marker: "KELVIN_COMMAND=none",
        bootID: bootID)
    }
    #expect(try tree("of another boot").end(grace: 0, by: connection.run).count == 0)
    #expect(ProcessIdentity(processID: process.processID) != nil)
    let bytes = try await connection.read(
      "/proc/sys/kernel/random/boot_id", until: .after(seconds: 20))
    let bootID = String(decoding: bytes.dropLast(), as: UTF8.self)
    #expect(try tree(bootID).end(grace: 0, by: connection.run).count == 1)
    #expect(ProcessIdentity(processID: process.processID) == nil)
    await connection.close()
  }
}
