import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

/// A console as a connection, beyond what every connection promises: lines that are bad, boards that have
/// little, and what stays behind.
@Suite(.timeLimit(.minutes(5)), .serialized)
struct ConsoleConnectionTests {
  private func tidy(_ connection: ConsoleConnection, _ shell: LineShell) async throws {
    await connection.close()
    // The shell that was there before is back.
    let channel = ConsoleChannel(shell.link)
    try channel.open(until: .after(seconds: 30))
    #expect(try channel.run("echo here", until: soon()).output == Array("here\n".utf8))
    channel.close(until: soon())
  }

  @Test func severalCommandsRunBesideEachOther() async throws {
    let shell = try LineShell(.dash)
    let connection = ShellLine(shell).connection()
    let directory = try connection.use(until: soon()) { $0.directory }
    var running: [any RemoteProcess] = []
    for number in 1...5 {
      running.append(
        try await connection.start(
          Command(["sh", "-c", "sleep 0.\(6 - number); echo \(number); exit \(number)"]),
          until: soon()))
    }
    #expect(try await connection.execute(Command(["echo", "between"]), until: soon()).isSuccess)
    for (number, process) in zip(1...5, running) {
      let result = try await process.wait(until: soon())
      #expect(result.termination == .exited(Int32(number)))
      #expect(result.standardOutput.text == "\(number)\n")
    }
    try await tidy(connection, shell)
    #expect(directory.contains("/.kelvin-") && access(directory, F_OK) != 0)
  }

  /// The kernel's and others' lines, lost and doubled bytes.
  @Test(arguments: LineShell.Kind.allCases)
  func startedCommandsAreTrueUnderNoise(kind: LineShell.Kind) async throws {
    let faults = LineFaults(
      lost: 0.0005, doubled: 0.0002, noisePerSecond: 60, seed: 31)
    let shell = try LineShell(
      kind, faults, environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
    let connection = ShellLine(shell).connection()
    for number in 0..<12 {
      let result = try await connection.execute(
        Command(
          [
            "sh", "-c",
            "echo \(number) >>\(shell.scratch.path)/ran; echo out \(number); echo err \(number) >&2; exit \(number)"
          ]), until: .after(seconds: 60))
      #expect(result.termination == .exited(Int32(number)))
      #expect(result.standardOutput.text == "out \(number)\n")
      #expect(result.standardError.text == "err \(number)\n")
    }
    // Each ran once.
    #expect(
      try shell.scratch.read("ran") == Array((0..<12).map { "\($0)\n" }.joined().utf8))
    await connection.close()
  }

  /// With the applets of busybox alone: no grep, no mkfifo, no nice.
  @Test func aMinimalBoardIsEnough() async throws {
    let shell = try LineShell(.busybox)
    let connection = ShellLine(shell).connection()
    let marker = "minimal-\(getpid())"
    let result = try await connection.execute(
      Command(
        ["sh", "-c", "sleep 300 & setsid sleep 300 & echo out; echo err >&2; kill -9 $$"],
        environment: ["KELVIN_TEST": marker], grace: 0.5), until: .after(seconds: 60))
    #expect(result.termination == .signaled(SIGKILL))
    #expect(result.standardOutput.text == "out\n")
    #expect(result.standardError.text == "err\n")
    #expect(result.endedDescendants == 2)
    #expect(HostileCommandTests.carriers(of: "KELVIN_TEST=\(marker)").isEmpty)
    try await tidy(connection, shell)
  }

  /// Android's shell, and its tools: Debian's toybox lacks two of them, which Android's has.
  @Test(
    .enabled(if: access("/usr/bin/toybox", X_OK) == 0, "needs toybox"), arguments: [true, false])
  func toyboxIsEnoughWhereItIsWhole(isWhole: Bool) async throws {
    let shell = try LineShell(.mksh, tools: isWhole ? ["tr", "dd"] : [])
    try shell.home.link(
      [
        "cat", "chmod", "cksum", "find", "grep", "head", "kill", "ls", "mkdir", "mkfifo", "mv",
        "od", "printf", "readlink", "rm", "setsid", "sleep", "stat", "wc"
      ], to: "toybox")
    let connection = ShellLine(shell).connection()
    let command = Command(["sh", "-c", "sleep 300 & echo out; echo err >&2; exit 7"], grace: 0.5)
    guard isWhole else {
      let failure = await #expect(throws: ConnectionFailure.self) {
        try await connection.execute(command, until: .after(seconds: 60))
      }
      #expect(
        failure?.message.contains("there is no dd, no tr") == true, "\(failure?.message ?? "")")
      await connection.close()
      return
    }
    let result = try await connection.execute(command, until: .after(seconds: 60))
    #expect(result.termination == .exited(7))
    #expect(result.standardOutput.text == "out\n")
    #expect(result.standardError.text == "err\n")
    #expect(result.endedDescendants == 1)
    try await tidy(connection, shell)
  }

  /// What a command prints never fills the board: the board keeps so much, and counts the rest.
  @Test func aGigabyteIsCountedNotKept() async throws {
    let shell = try LineShell(.dash)
    let connection = ShellLine(shell).connection()
    let result = try await connection.execute(
      Command(
        ["head", "-c", "1073741824", "/dev/zero"], standardOutput: .capture(limit: 100_000)),
      until: .after(seconds: 120))
    #expect(result.isSuccess)
    #expect(result.standardOutput.totalBytes == 1 << 30)
    #expect(result.standardOutput.bytes == [UInt8](repeating: 0, count: 100_000))
    await connection.close()
  }

  @Test func aBoardThatDiesInMidCommandIsALostConnection() async throws {
    let shell = try LineShell(.dash)
    let connection = ShellLine(shell).connection()
    let process = try await connection.start(Command(["sleep", "4711"]), until: soon())
    shell.crash()
    kill(process.processID, SIGKILL)
    shell.line.isCut.store(true, ordering: .relaxed)
    await #expect {
      _ = try await process.wait(until: .after(seconds: 100))
    } throws: {
      let failure = $0 as? ConnectionFailure
      return failure?.code == .connectionLost
        && failure?.message.contains("whether it ended is not known") == true
    }
    await connection.close()
  }

  @Test func aBoardThatStartsAnewInMidCommandIsALostConnection() async throws {
    let shell = try LineShell(.dash)
    let connection = ShellLine(shell).connection()
    let process = try await connection.start(
      Command(["sh", "-c", "echo begun; sleep 1; echo U-Boot 2023.01 >\(tty(of: shell)); sleep 99"]
      ),
      until: soon())
    let begin = MonotonicTime.now
    await #expect {
      _ = try await process.wait(until: .after(seconds: 60))
    } throws: { ($0 as? ConnectionFailure)?.code == .connectionLost }
    #expect(MonotonicTime.now - begin < 20_000_000_000)
    kill(process.processID, SIGKILL)
    await connection.close()
  }

  private func tty(of shell: LineShell) -> String { "/proc/\(shell.processID)/fd/0" }

  /// What a process that is let go had started is ended, and its files are removed.
  @Test func whatNobodyWaitsForIsEnded() async throws {
    let shell = try LineShell(.bash)
    let connection = ShellLine(shell).connection()
    let directory = try connection.use(until: soon()) { $0.directory }
    let marker = "abandoned-\(getpid())"
    do {
      _ = try await connection.start(
        Command(
          ["sh", "-c", "sleep 300 & sleep 300"], environment: ["KELVIN_TEST": marker]),
        until: soon())
    }
    #expect(HostileCommandTests.carriers(of: "KELVIN_TEST=\(marker)").isEmpty)
    await connection.close()
    #expect(directory.contains("/.kelvin-") && access(directory, F_OK) != 0)
  }

  /// As after a `kill -9` of Kelvin, or a line that was lost: whoever comes next finds the board clean.
  @Test func whatASessionThatDiedLeftRunningIsEndedByTheNext() async throws {
    let shell = try LineShell(
      .bash, environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
    let marker = "orphan-\(getpid())"
    let first = ShellLine(shell).connection()
    let process = try await first.start(
      Command(["sh", "-c", "sleep 300 & sleep 300"], environment: ["KELVIN_TEST": marker]),
      until: soon())
    let second = ShellLine(shell).connection()
    #expect(try await second.execute(Command(["true"]), until: soon()).isSuccess)
    #expect(HostileCommandTests.carriers(of: "KELVIN_TEST=\(marker)").isEmpty)
    await second.close()
    withExtendedLifetime(process) {}
  }

  @Test func commandsHaveTheBoardsOwnEnvironment() async throws {
    let shell = try LineShell(
      .dash, environment: ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"])
    let connection = ConsoleConnection(
      ShellLine(shell), environment: ["BASE": "of the connection"], listens: false)
    for endsDescendants in [true, false] {
      var command = Command(["env"], environment: ["OWN": "of the command"])
      command.endsDescendants = endsDescendants
      let result = try await connection.execute(command, until: soon())
      let names = result.standardOutput.text.split(separator: "\n").map {
        String($0.prefix { $0 != "=" })
      }
      // What the shell at the prompt exports, the marker, and what was asked for.
      let expected: Set = [
        "PATH", "HOME", "TERM", "PS1", "LC_ALL", "PWD", "BASE", "OWN", "KELVIN_COMMAND", "OLDPWD",
        "KELVIN_SIMULATED_BOARD"
      ]
      #expect(Set(names).subtracting(expected).isEmpty, "\(names)")
      #expect(result.standardOutput.text.contains("LC_ALL=C.UTF-8\n"))
    }
    await connection.close()
  }

  @Test(.enabled(if: geteuid() == 0, "needs root at the test's shell"))
  func commandsAsRootRunWhereRootHasLoggedIn() async throws {
    let connection = ShellLine(try LineShell(.dash)).connection()
    for endsDescendants in [true, false] {
      var command = Command(["id", "-u"], asRoot: true)
      command.endsDescendants = endsDescendants
      #expect(try await connection.execute(command, until: soon()).standardOutput.text == "0\n")
    }
    await connection.close()
  }

  @Test func filesOfMoreThanAReadKeepsAreTooLarge() async throws {
    let shell = try LineShell(.dash)
    let connection = ShellLine(shell).connection()
    #expect(try await connection.read(["/dev/zero"], until: soon())[0] == .failure(Errno(EFBIG)))
    await connection.close()
  }
}
