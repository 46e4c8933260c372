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
      "KELVIN_COMMAND=a\n=7\nKELVIN_COMMAND=ab\n=8\nKELVIN_COMMAND=a\n=x\nKELVIN_COMMAND=a\n=9\n"
    #expect(ShellTree.carriers(in: Array(text.utf8), marker: "KELVIN_COMMAND=a") == [8])
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["dash", "bash", "busybox"])
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
