import KelvinModel
import KelvinSimulators
import Synchronization
import Testing

@testable import KelvinConnections

/// U-Boot's command line on a line that behaves.
@Suite(.serialized, .needsUBoot, .sharedUBoot, .timeLimit(.minutes(5)))
struct UBootShellTests {
  private func seconds(_ seconds: Double) -> Deadline { .after(seconds: seconds) }

  @Test func stopsTheCountdownAndLearnsWhoIsThere() throws {
    let board = try UBootBoard()
    let shell = try board.shell()
    #expect(shell.prompt == Array("=> ".utf8))
    #expect(shell.parser == .hush)
    #expect(shell.isEditing)
    #expect(shell.version.hasPrefix("U-Boot 20"), "\(shell.version)")
    #expect(!board.said.contains("no kernel"))
    // The first key went when the countdown had begun.
    let told = board.told
    #expect(told.first == 32)
  }

  @Test(arguments: [
    ("true", 0, ""), ("false", 1, ""), ("echo hello", 0, "hello\n"), ("echo -n x", 0, "x"),
    ("nosuch", 1, "Unknown command 'nosuch' - try 'help'\n"), ("echo a; false;", 1, "a\n"),
    ("false || echo b", 0, "b\n"), ("if test 1 = 2;then echo a;else echo b;fi", 0, "b\n"),
    ("for i in 1 2;do echo $i;done", 0, "1\n2\n"), ("echo one\necho two", 0, "one\ntwo\n"),
    ("echo 'a#b; c'", 0, "a#b; c\n"), ("setenv a 1; test $a = 1", 0, ""),
    ("echo => \n echo '=> '", 0, "=>\n=> \n"), ("echo Ke1.abcdef.0.", 0, "Ke1.abcdef.0.\n"),
    ("if true\nthen\necho c\nfi", 0, "c\n"),
    ("run nosuch", 1, "## Error: \"nosuch\" not defined\n"),
    ("echo 'login: '; echo Password:", 0, "login: \nPassword:\n")
  ])
  func runsCommandsWithTheirStatusAndOutput(command: String, status: Int32, output: String) throws {
    let shell = try SharedUBoot.shell()
    let reply = try shell.run(command, until: seconds(20))
    #expect(reply.status == status)
    #expect(reply.text == output)
    #expect(reply.isFramed)
  }

  @Test func leavesABoardAloneThatCountsDown() throws {
    let board = try UBootBoard()
    let shell = UBootShell(board.link)
    let failure = #expect(throws: ConnectionFailure.self) {
      try shell.reach(until: seconds(30))
    }
    #expect(failure?.code == .unsupported)
    #expect(failure?.message.contains("left alone") == true)
    #expect(board.told.isEmpty)
    // It boots, finds nothing, and is then at its prompt.
    try board.wait(for: "No ethernet found.\r\n=> ")
    try shell.reach(until: seconds(30))
    #expect(try shell.run("echo x", until: seconds(10)).text == "x\n")
  }

  /// Lines that somebody left: half-typed, open quotes, a loop, a command that runs.
  @Test(arguments: [
    "mw.b 40400000 1 1", "echo 'open\r", "for i in 1 2 3;do\r", "sleep 1000\r",
    "while true;do sleep 1;done\r", "\u{1}\u{1}", "version"
  ])
  func reachesThePromptThroughWhatSomebodyLeftThere(typed: String) throws {
    let board = try UBootBoard()
    let first = try board.shell()
    try first.link.write(Array(typed.utf8), until: seconds(5))
    let shell = UBootShell(board.link)
    try shell.reach(until: seconds(40))
    #expect(try shell.run("echo x", until: seconds(10)).text == "x\n")
    // Nothing of it was run by the way.
    #expect(!board.said.contains("Unknown command"))
    #expect(try shell.run("md.b 40400000 1", until: seconds(10)).text.contains(": 01 ") == false)
  }

  @Test func saysThatLinuxRuns() throws {
    let linux = try LineShell(.dash)
    let failure = #expect(throws: ConnectionFailure.self) {
      try UBootShell(linux.link).reach(until: seconds(30))
    }
    #expect(failure?.code == .unsupported)
    #expect(failure?.hint.contains("reset") == true)
    let getty = try LineShell(
      .dash, script: "trap '' INT; while :;do printf '\\nboard login: '; read -r x || sleep 1; done"
    )
    let other = #expect(throws: ConnectionFailure.self) {
      try UBootShell(getty.link).reach(until: seconds(30))
    }
    #expect(other?.code == .unsupported)
  }

  @Test func saysThatTheBoardSaysNothing() throws {
    let silent = try LineShell(.dash, script: "stty -echo -isig; exec sleep 1000")
    silent.line.isCut.store(true, ordering: .releasing)
    let failure = #expect(throws: ConnectionFailure.self) {
      try UBootShell(silent.link).reach(until: seconds(4))
    }
    #expect(failure?.code == .timedOut)
    #expect(failure?.message.contains("nothing at all") == true)
  }

  @Test func refusesWhatCannotBeTypedBeforeAnythingIsSent() throws {
    let board = try UBootBoard()
    let shell = try board.shell()
    let told = board.told.count
    for command in [
      "echo " + String(repeating: "x", count: 500), "", "echo 'a", "echo a # b", "fi", "if true",
      "echo \u{3}", "echo \t", "echo \\"
    ] {
      let failure = #expect(throws: ConnectionFailure.self, "\(command)") {
        try shell.run(command, until: seconds(10))
      }
      #expect(failure?.code == .unsupported)
    }
    #expect(board.told.count == told)
    // The longest that goes, to the byte.
    let room = 510 - UBootLine(id: "1.abcdef", isHush: true).command([]).reduce(0) { $0 + $1.count }
    let words = String(repeating: "y", count: room - "echo ".utf8.count)
    #expect(try shell.run("echo \(words)", until: seconds(10)).text == words + "\n")
  }

  @Test func learnsThatTheBoardsLinesAreShorterThanWasSaid() throws {
    let board = try UBootBoard()
    let shell = try board.shell(UBootOptions(lineLimit: 2000))
    let failure = #expect(throws: ConnectionFailure.self) {
      try shell.run("echo " + String(repeating: "x", count: 900), until: seconds(60))
    }
    #expect(failure?.code == .unsupported)
    #expect(failure?.message.contains("512 bytes") == true, "\(String(describing: failure))")
    #expect(try shell.run("echo x", until: seconds(10)).text == "x\n")
  }

  @Test func saysThatTheShellDoesNotUnderstand() throws {
    let shell = try SharedUBoot.shell()
    let failure = #expect(throws: ConnectionFailure.self) {
      try shell.run("echo a & echo b", until: seconds(20))
    }
    #expect(failure?.code == .refused("syntax error"))
    #expect(try shell.run("echo x", until: seconds(10)).text == "x\n")
  }

  @Test(arguments: [
    "echo before; sleep 100", "echo before; sleep 100; sleep 100",
    "echo before; while true;do sleep 100;done"
  ])
  func endsACommandWhoseTimeIsOverAndGivesWhatItPrinted(command: String) throws {
    let shell = try SharedUBoot.shell()
    let failure = #expect(throws: ConnectionFailure.self) {
      try shell.run(command, until: seconds(1.5))
    }
    #expect(failure?.code == .timedOut)
    #expect(failure?.partial?.standardOutput.text == "before\n")
    #expect(try shell.run("echo x", until: seconds(10)).text == "x\n")
  }

  @Test func waitsForASilentCommand() throws {
    let shell = try SharedUBoot.shell()
    #expect(try shell.run("sleep 4; echo over", until: seconds(20)).text == "over\n")
  }

  @Test(arguments: [
    "plain", "two  blanks ", "$bootcmd ${x}; reset", "it's", "\"double\"", "back\\slash\\\\",
    "'", "\\", "''\\''", "a\nb\n\nc=d\\\n", "#no comment", "a&b|c>d<e(f){g}[h]*?~!`i`", "=",
    "é\u{1F980}",
    " lead", "if true;then"
  ])
  func setsVariablesToExactlyWhatIsWanted(value: String) throws {
    let shell = try SharedUBoot.shell()
    let bytes = Array(value.utf8)
    try shell.set("kelvin_test", to: bytes, until: seconds(20))
    #expect(try shell.variable("kelvin_test", until: seconds(10)) == bytes)
    let all = try shell.variables(until: seconds(20))
    #expect(all.isWhole == true)
    #expect(all["kelvin_test"] == bytes)
    #expect(all["bootdelay"] == Array("2".utf8))
    try shell.set("kelvin_test", to: [], until: seconds(20))
    #expect(try shell.variable("kelvin_test", until: seconds(10)) == nil)
  }

  @Test func saysWhyVariablesWereNotSaved() throws {
    // The emulated flash takes no environment in this version of QEMU.
    let shell = try SharedUBoot.shell()
    do {
      try shell.save(until: seconds(60))
    } catch {
      guard case .refused = error.code else { throw error }
      #expect(error.message.contains("save"))
    }
    #expect(try shell.run("echo x", until: seconds(10)).text == "x\n")
  }

  @Test func resetsAndStopsAgain() throws {
    let board = try UBootBoard()
    let shell = try board.shell()
    try shell.set("kelvin_test", to: [120], until: seconds(10))
    try shell.reset(stopsAutoboot: true, until: seconds(60))
    #expect(try shell.variable("kelvin_test", until: seconds(10)) == nil)
    #expect(!board.said.contains("no kernel"))
    try shell.reset(stopsAutoboot: false, until: seconds(60))
    #expect(!shell.isOpen)
    try board.wait(for: "no kernel")
  }

  @Test func saysThatBootFoundNothing() throws {
    let shell = try SharedUBoot.shell()
    let failure = #expect(throws: ConnectionFailure.self) { try shell.boot(until: seconds(60)) }
    guard case .refused? = failure?.code else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(failure?.evidence.contains("no kernel") == true)
    #expect(try shell.run("echo x", until: seconds(10)).text == "x\n")
  }

  @Test func saysThatTheBoardRestartedInMidCommandAndSendsNothingMore() throws {
    let board = try UBootBoard()
    let shell = try board.shell()
    let failure = #expect(throws: ConnectionFailure.self) {
      try shell.run("sleep 1; reset", until: seconds(30))
    }
    #expect(failure?.code == .connectionLost)
    try board.wait(for: "no kernel")
  }

  @Test func losesAConnectionThatIsCut() throws {
    let board = try UBootBoard()
    let shell = try board.shell()
    board.line.end()
    let failure = #expect(throws: ConnectionFailure.self) {
      try shell.run("echo x", until: seconds(10))
    }
    #expect(failure?.code == .connectionLost)
  }
}
