import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

/// Commands over a pseudo terminal that runs a real shell.
@Suite(.timeLimit(.minutes(5)))
struct ConsoleChannelTests {
  static let kinds = LineShell.Kind.allCases

  @Test(arguments: kinds)
  func tellsWhatACommandPrintedAndHowItEnded(kind: LineShell.Kind) throws {
    let shell = try LineShell(kind)
    let channel = try shell.channel()
    let table: [(String, Int32, String, String)] = [
      ("echo hello", 0, "hello\n", ""), ("true", 0, "", ""), ("", 0, "", ""),
      ("echo a; echo b; exit 3", 3, "a\nb\n", ""), ("printf x", 0, "x", ""),
      ("echo oops >&2; echo '~tilde ~'", 0, "~tilde ~\n", "oops\n"),
      ("printf '  two  \\t tabs\\t\\n\\n\\n'", 0, "  two  \t tabs\t\n\n\n", ""),
      ("echo $$ >/dev/null; kill -9 $$", 137, "", ""), ("exit 200", 200, "", ""),
      ("printf '\\303\\251\\r\\n'", 0, "é\r\n", ""),
      ("set -- 'a  b' \"c'd\"; echo \"$@\"", 0, "a  b c'd\n", ""),
      ("cat", 0, "", ""), ("echo \"$PWD\" | tr a-z A-Z", 0, "", ""),
      ("cat <<X\none\ntwo\nX\necho '!`#'", 0, "one\ntwo\n!`#\n", "")
    ]
    for (script, status, output, error) in table {
      let reply = try channel.run(script, until: .after(seconds: 10))
      #expect(reply.status == status, "\(script)")
      if !script.contains("PWD") {
        #expect(String(decoding: reply.output, as: UTF8.self) == output, "\(script)")
      }
      #expect(String(decoding: reply.error, as: UTF8.self) == error, "\(script)")
    }
    #expect(channel.counts.resentLines == 0 && channel.counts.damagedFrames == 0)
  }

  /// The streams' descriptors do not tell how long the files are then.
  @Test(arguments: kinds)
  func takesWhatWasWrittenPastTheStreamsDescriptors(kind: LineShell.Kind) throws {
    let shell = try LineShell(kind)
    let channel = try shell.channel()
    let table: [(String, String, String)] = [
      ("echo abc; echo d >/proc/self/fd/1", "d\n", ""),
      ("printf ab; echo cd >>/proc/self/fd/1", "abcd\n", ""),
      ("echo x >/proc/self/fd/2; echo a", "a\n", "x\n"),
      ("echo x >/proc/self/fd/2; echo yy >&2", "", "yy\n"),
      ("echo abcdef; : >/proc/self/fd/1", "", ""),
      ("echo abcdef; : >/proc/self/fd/1; echo g", "\0\0\0\0\0\0\0g\n", ""),
      ("seq 1 500 >/proc/self/fd/1; printf '1\\n2\\n'", (1...500).map { "\($0)\n" }.joined(), ""),
      ("echo a; seq 1 500 >>/proc/self/fd/1", "a\n" + (1...500).map { "\($0)\n" }.joined(), "")
    ]
    for (script, output, error) in table {
      let reply = try channel.run(script, until: .after(seconds: 20))
      #expect(String(decoding: reply.output, as: UTF8.self) == output, "\(script)")
      #expect(String(decoding: reply.error, as: UTF8.self) == error, "\(script)")
      #expect(reply.status == 0)
    }
    #expect(channel.counts.damagedFrames == 0)
  }

  /// What asks for a login, for a command or for a key is output, where a command prints it.
  @Test(arguments: kinds)
  func takesPromptsInOutputForOutput(kind: LineShell.Kind) throws {
    let shell = try LineShell(kind, prompt: "board:~# ")
    let channel = try shell.channel()
    let prompts = [
      "board:~# ", "# ", "$ ", "=> ", "\nboard login: ", "Password: ", "login: root\nPassword: ",
      "Login incorrect\n", "> ", "~\(channel.session) .\n", "\r\n\u{1B}[1;31mboard\u{1B}[0m:~# "
    ]
    for prompt in prompts {
      for target in ["", " >&2"] {
        let reply = try channel.run(
          "cat\(target); exit 3", input: Array(prompt.utf8), until: .after(seconds: 20))
        let said = target.isEmpty ? reply.output : reply.error
        #expect(said == Array(prompt.utf8) && reply.status == 3, "\(prompt)")
      }
      // To the line itself, past the agent, in the middle of the command.
      let reply = try channel.run(
        "cat >&3; echo through", input: Array(prompt.utf8), until: .after(seconds: 20))
      #expect(reply.output == Array("through\n".utf8), "\(prompt)")
    }
    #expect(channel.counts.resentLines == 0)
  }

  @Test(arguments: kinds)
  func carriesEveryByteBothWaysAtEverySize(kind: LineShell.Kind) throws {
    let shell = try LineShell(kind)
    let channel = try shell.channel()
    var generator = SeededGenerator(seed: 5)
    for count in [1, 2, 3, 255, 479, 480, 481, 961, 5000, 40_000] {
      var bytes = generator.bytes(count)
      if count == 255 { bytes = (0..<255).map { UInt8($0) } }
      let reply = try channel.run("cat", input: bytes, until: .after(seconds: 30))
      #expect(reply.output == bytes && reply.status == 0, "\(count)")
      let text = bytes.map { $0 % 12 == 0 ? 10 : 32 + $0 % 95 }
      #expect(try channel.run("cat >&2", input: text, until: .after(seconds: 30)).error == text)
    }
    #expect(channel.counts.damagedFrames == 0 && channel.counts.resentLines == 0)
  }

  @Test(arguments: kinds)
  func takesScriptsOfManyLines(kind: LineShell.Kind) throws {
    let shell = try LineShell(kind)
    let channel = try shell.channel()
    let lines = (0..<400).map { "v\($0)=\($0); : '\($0) \"quoted\" $HOME & ; | > <'" }
    let script = lines.joined(separator: "\n") + "\necho $v0 $v399"
    #expect(
      try channel.run(script, until: .after(seconds: 30)).output == Array("0 399\n".utf8))
  }

  /// A short reply comes unasked; a long one takes one request.
  @Test(arguments: [("echo hello", 1), ("seq 1 200", 2), ("seq 1 4000", 2)])
  func takesAtMostTwoRoundTripsOnACleanLine(script: String, trips: Int) throws {
    let shell = try LineShell(.dash)
    let channel = try shell.channel()
    _ = try channel.run("true", until: .after(seconds: 10))
    // A machine that is busy elsewhere answers late, and is asked.
    let counts = try (0..<5).map { _ in
      let before = shell.line.traffic.withLock { $0.told.count { $0 == 10 } }
      _ = try channel.run(script, until: .after(seconds: 10))
      return shell.line.traffic.withLock { $0.told.count { $0 == 10 } } - before
    }
    #expect(counts.min() == trips)
  }

  /// All bytes on the line, both ways, against what was asked and answered.
  @Test(arguments: [
    ("echo hello", 0, 16), ("cat /sys/class/thermal/thermal_zone0/temp || :", 0, 60),
    ("seq 1 100", 0, 301), ("cat", 30_000, 60_003)
  ])
  func costsLittleMoreThanItsPayload(script: String, input: Int, payload: Int) throws {
    let shell = try LineShell(.dash)
    let channel = try shell.channel()
    _ = try channel.run("true", until: .after(seconds: 10))
    var generator = SeededGenerator(seed: 8)
    let bytes = input > 0 ? generator.bytes(input) : nil
    let costs = try (0..<3).map { _ in
      let before = shell.line.traffic.withLock { $0.said.count + $0.told.count }
      _ = try channel.run(script, input: bytes, until: .after(seconds: 30))
      return shell.line.traffic.withLock { $0.said.count + $0.told.count } - before
    }
    #expect(Double(try #require(costs.min())) < 1.45 * Double(payload) + 120, "\(costs)")
  }

  @Test(arguments: kinds)
  func endsACommandThatTakesTooLongWithAllItStartedAndShowsItsOutput(
    kind: LineShell.Kind
  ) throws {
    let shell = try LineShell(kind)
    let channel = try shell.channel()
    let mark = "4242\(Int.random(in: 100...999))"
    let script = "echo begun; sleep \(mark) & sleep \(mark); echo never"
    let failure = #expect(throws: ConnectionFailure.self) {
      try channel.run(script, until: .after(seconds: 1))
    }
    #expect(failure?.code == .timedOut, "\(String(describing: failure))")
    #expect(failure?.partial?.standardOutput.text == "begun\n")
    let left = try channel.run(
      "for x in /proc/[0-9]*/cmdline; do tr '\\000' ' ' <$x; echo; done 2>/dev/null",
      until: .after(seconds: 10))
    #expect(!String(decoding: left.output, as: UTF8.self).contains("sleep \(mark)"))
    // One that does not listen to SIGTERM.
    let began = MonotonicTime.now
    let deaf = #expect(throws: ConnectionFailure.self) {
      try channel.run(
        Array("trap '' TERM; echo deaf; while :; do sleep 0.1; done".utf8), grace: 0.5,
        until: .after(seconds: 0.5))
    }
    #expect(deaf?.code == .timedOut)
    #expect(deaf?.partial?.termination == .signaled(9))
    #expect(deaf?.partial?.standardOutput.text == "deaf\n")
    #expect(MonotonicTime.now - began < 6_000_000_000)
    #expect(try channel.run("echo on", until: .after(seconds: 10)).output == Array("on\n".utf8))
  }

  @Test func stopsAtAnInterruptAndEndsTheCommand() throws {
    let shell = try LineShell(.dash)
    let channel = try shell.channel()
    let interrupt = Interrupt()
    let thread = try NamedThread("raises") {
      usleep(300_000)
      interrupt.raise()
    }
    defer { thread.join() }
    let failure = #expect(throws: ConnectionFailure.self) {
      try channel.run("sleep 100", until: .after(seconds: 60, interrupt: interrupt))
    }
    #expect(failure?.code == .interrupted)
    #expect(try channel.run("echo on", until: .after(seconds: 10)).status == 0)
  }

  @Test(arguments: kinds)
  func leavesNothingBehindAndGivesTheShellBack(kind: LineShell.Kind) throws {
    let shell = try LineShell(kind)
    let channel = try shell.channel()
    let place = try channel.run("ls -d /run/.kelvin-\(channel.session)", until: .after(seconds: 10))
    #expect(place.status == 0)
    channel.close(until: .after(seconds: 10))
    #expect(access("/run/.kelvin-\(channel.session)", F_OK) != 0)
    // Its echo is on again, and it takes commands.
    try channel.link.write(Array("echo $((6*7))x\n".utf8), until: .after(seconds: 5))
    var seen: [UInt8] = []
    let deadline = Deadline.after(seconds: 10)
    while !String(decoding: seen, as: UTF8.self).contains("42x") {
      try #require(try channel.link.read(into: &seen, until: deadline))
    }
    #expect(String(decoding: seen, as: UTF8.self).contains("6*7"))
  }

  @Test(arguments: kinds)
  func takesOverFromAnAgentThatADeadHostLeft(kind: LineShell.Kind) throws {
    let shell = try LineShell(kind)
    let first = try shell.channel()
    _ = try first.run("echo one", until: .after(seconds: 10))
    let second = try shell.channel()
    #expect(try second.run("echo two", until: .after(seconds: 10)).output == Array("two\n".utf8))
    #expect(access("/run/.kelvin-\(first.session)", F_OK) != 0)
  }

  /// Where rm would ask before it removes what may not be written, it would read the line.
  @Test(.enabled(if: RootBoard.obstacle == nil, "\(RootBoard.obstacle ?? "")"))
  func removesFilesOfRootsWithoutAQuestion() throws {
    let board = try RootBoard()
    let shell = try LineShell(
      .dash, script: "cd /tmp; exec " + ShellWords.join(board.words(for: ["dash", "-i"])))
    let first = try shell.channel()
    let place = first.directory
    for _ in 0..<2 {
      let file = open(place + "/j1.o", O_WRONLY | O_CREAT | O_CLOEXEC, 0o400)
      #expect(file >= 0)
      close(file)
      let second = try shell.channel()
      #expect(access(place, F_OK) != 0)
      let own = open(second.directory + "/j1.o", O_WRONLY | O_CREAT | O_CLOEXEC, 0o400)
      close(own)
      second.close(until: .after(seconds: 10))
      #expect(access(second.directory, F_OK) != 0)
      mkdir(place, 0o700)
      chown(place, RootBoard.user, RootBoard.user)
      let mark = open(place + "/p", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
      // A process that there is not.
      _ = write(mark, "4999999\n", 8)
      close(mark)
    }
  }

  @Test func saysThatTheConnectionIsLostWhenTheShellDies() throws {
    let shell = try LineShell(.dash)
    let channel = try shell.channel()
    shell.crash()
    let failure = #expect(throws: ConnectionFailure.self) {
      try channel.run("echo x", until: .after(seconds: 30))
    }
    #expect(failure?.code == .connectionLost)
    #expect(!channel.isOpen)
  }

  @Test func saysThatTheConnectionIsLostWhenTheLineFallsSilentInACommand() throws {
    let shell = try LineShell(.dash)
    let channel = try shell.channel()
    shell.line.isCut.store(true, ordering: .releasing)
    let failure = #expect(throws: ConnectionFailure.self) {
      try channel.run("echo x", until: .after(seconds: 60))
    }
    #expect(failure?.code == .connectionLost)
    #expect(
      failure?.message.contains("says") == true || failure?.message.contains("last line") == true)
  }

  /// Without base64, cksum and stty; without base64 and od; without anything that makes text.
  @Test(arguments: [
    ["cat", "tr", "wc", "dd", "mkdir", "rm", "md5sum", "od"],
    ["cat", "tr", "wc", "dd", "mkdir", "rm", "cksum", "hexdump"],
    ["cat", "tr", "wc", "dd", "mkdir", "rm", "cksum", "base64"]
  ])
  func worksWithTheFewToolsOfAMinimalBoard(tools: [String]) throws {
    let shell = try LineShell(.dash, tools: tools)
    let channel = try shell.channel()
    #expect(channel.tools.isSubset(of: tools))
    var generator = SeededGenerator(seed: 6)
    for count in [10, 100, 1500] {
      let bytes = generator.bytes(count)
      let reply = try channel.run("cat; echo e >&2", input: bytes, until: .after(seconds: 30))
      #expect(reply.output == bytes && reply.error == [101, 10], "\(count)")
    }
  }

  @Test(arguments: [
    (["cat", "tr", "wc", "mkdir", "rm", "cksum", "od"], "no dd"),
    (["cat", "tr", "wc", "dd", "mkdir", "rm", "cksum"], "no base64"),
    (["tr", "wc", "dd", "cksum", "od"], "no directory")
  ])
  func saysWhatABoardLacks(tools: [String], what: String) throws {
    let shell = try LineShell(.dash, tools: tools)
    let failure = #expect(throws: ConnectionFailure.self) { _ = try shell.channel() }
    #expect(failure?.code == .unsupported)
    #expect(failure?.message.contains(what) == true)
  }

  /// Init starts it without a controlling terminal, as many boards' images do.
  @Test(arguments: kinds)
  func endsProcessesWithoutJobControl(kind: LineShell.Kind) throws {
    let shell = try LineShell(
      kind, script: "setsid sh -i; exit")
    let channel = try shell.channel()
    let mark = "5151\(Int.random(in: 100...999))"
    let failure = #expect(throws: ConnectionFailure.self) {
      try channel.run("sleep \(mark) & sleep \(mark)", until: .after(seconds: 1))
    }
    #expect(failure?.code == .timedOut)
    let left = try channel.run(
      "for x in /proc/[0-9]*/cmdline; do tr '\\000' ' ' <$x; echo; done 2>/dev/null",
      until: .after(seconds: 10))
    #expect(!String(decoding: left.output, as: UTF8.self).contains("sleep \(mark)"))
  }

  @Test(arguments: [
    String(repeating: "long prompt ", count: 84), "\u{1B}[1;31mboard\u{1B}[0m:~$ ",
    "\u{1B}]0;title\u{7}> ", "login: ", "=> ", ""
  ])
  func needsNoPrompt(prompt: String) throws {
    for kind in LineShell.Kind.allCases {
      let shell = try LineShell(kind, prompt: prompt)
      let channel = try shell.channel()
      #expect(try channel.run("echo x", until: .after(seconds: 10)).output == [120, 10])
    }
  }
}
