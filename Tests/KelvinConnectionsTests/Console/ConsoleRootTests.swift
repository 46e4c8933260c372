import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

/// Commands as root over a console where another user has logged in.
@Suite(
  .serialized, .enabled(if: RootBoard.obstacle == nil, "\(RootBoard.obstacle ?? "")"),
  .timeLimit(.minutes(3)))
struct ConsoleRootTests {
  enum Way: String, CaseIterable, Sendable {
    case sudoInATerminal, su, busyboxSu, sudoFromBusybox, sudoWithoutPasswordFromMksh
  }

  private struct Line {
    let board: RootBoard
    let shell: LineShell
    let connection: ConsoleConnection

    init(_ way: Way, password: String? = nil) throws {
      let hasNone = way == .sudoWithoutPasswordFromMksh
      board = try RootBoard(
        rules: [hasNone ? "tester ALL=(ALL) NOPASSWD: ALL" : "tester ALL=(ALL) ALL"]
          + (way == .sudoInATerminal ? ["Defaults use_pty"] : []))
      let words =
        switch way {
        case .sudoFromBusybox: ["busybox", "sh", "-i"]
        case .sudoWithoutPasswordFromMksh: ["mksh", "-i"]
        case .busyboxSu: ["bash", "--norc", "-i"]
        default: ["dash", "-i"]
        }
      let isSu = [.su, .busyboxSu].contains(way)
      let path = way == .busyboxSu ? board.scratch.path + "/busybox:/usr/bin:/bin" : nil
      shell = try LineShell(
        .dash, script: "cd /tmp; exec " + ShellWords.join(board.words(for: words, path: path)),
        environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
      connection = ConsoleConnection(
        ShellLine(shell),
        root: RootAccess(
          isSu ? .su : .sudo,
          password: hasNone ? nil : board.password(password ?? (isSu ? "root" : "user"))),
        listens: false)
    }

    /// All that the board has printed.
    var said: String { shell.line.traffic.withLock { String(decoding: $0.said, as: UTF8.self) } }
  }

  private func late() -> Deadline { .after(seconds: 60) }

  @Test(arguments: Way.allCases) func keepsEveryPromise(way: Way) async throws {
    let line = try Line(way)
    let connection = line.connection
    func execute(_ script: String, _ input: Command.Input = .null) async throws -> CommandResult {
      try await connection.execute(
        Command(["sh", "-c", script], standardInput: input, asRoot: true), until: late())
    }
    let who = try await execute("id -u; exec echo error >&2")
    #expect(who.standardOutput.text == "0\n")
    #expect(who.standardError.text == "error\n")
    for endsDescendants in [true, false] {
      var plain = Command(["id", "-u"])
      plain.endsDescendants = endsDescendants
      #expect(
        try await connection.execute(plain, until: late()).standardOutput.text
          == "\(RootBoard.user)\n")
    }
    #expect(try await execute("exit 7").termination == .exited(7))
    #expect(try await execute("kill -9 $$").termination == .signaled(9))
    // Values are the user's to read, and root's to settle.
    let value = line.board.scratch.path + "/value"
    try line.board.scratch.write("value", Array("1\n".utf8))
    chmod(value, 0o600)
    #expect(
      try await connection.read([TargetPath(value)], until: late())[0] == .failure(Errno(EACCES)))
    let step = ValueStep(TargetPath(value), line: "it's 2")
    let outcome = try await connection.settle([step], until: late())
    #expect(try step.isMet(by: outcome[0].after.get()))
    #expect(try line.board.scratch.read("value") == Array("it's 2\n".utf8))
    // Input is the command's own, to the byte, and nothing else is in it.
    #expect(try await execute("cat").standardOutput.bytes == [])
    let bytes = FastbootTests.noise(3000, seed: 7)
    #expect(try await execute("cat", .bytes(bytes)).standardOutput.bytes == bytes)
    let missing = await #expect(throws: ConnectionFailure.self) {
      try await connection.execute(Command(["no-such-program"], asRoot: true), until: late())
    }
    #expect(missing?.code == .notFound)
    // What root can see of all processes' words, and of the agent's files; what the line has printed.
    _ = try await execute(
      "cat /proc/[0-9]*/cmdline /proc/self/environ /dev/shm/.kelvin-????/[a-z] "
        + ">\(line.board.scratch.path)/words 2>/dev/null; :")
    let words = String(decoding: try line.board.scratch.read("words"), as: UTF8.self)
    #expect(words.contains("kelvin"))
    for password in [RootBoard.rootPassword, RootBoard.userPassword] {
      #expect(!words.contains(password) && !line.said.contains(password))
    }
    await connection.close()
    withExtendedLifetime(line) {}
  }

  @Test(arguments: [Way.sudoInATerminal])
  func itsTreeIsEndedAtTheDeadline(way: Way) async throws {
    let line = try Line(way)
    let connection = line.connection
    #expect(
      try await connection.execute(Command(["true"], asRoot: true), until: late()).isSuccess)
    let file = line.board.scratch.path + "/pids"
    var command = Command(
      ["sh", "-c", "(exec setsid sleep 1000) & echo $$ $! > \(file); echo begun; sleep 1000"],
      asRoot: true)
    command.grace = 0.2
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await connection.execute(command, until: .after(seconds: 5))
    }
    #expect(failure?.code == .timedOut)
    #expect(failure?.partial?.standardOutput.text == "begun\n")
    let pids = String(decoding: try line.board.scratch.read("pids"), as: UTF8.self)
      .split { $0 == " " || $0 == "\n" }.compactMap { Int32($0) }
    #expect(pids.count == 2)
    for pid in pids { #expect(ProcessIdentity(processID: pid) == nil, "\(pid) lives") }
    let process = try await connection.start(
      Command(["sleep", "1000"], asRoot: true), until: late())
    try await process.signal(SIGTERM)
    #expect(try await process.wait(until: late()).termination == .signaled(SIGTERM))
    await connection.close()
    withExtendedLifetime(line) {}
  }

  @Test(arguments: [Way.sudoInATerminal, .su])
  func aWrongPasswordIsAPermissionThatIsMissing(way: Way) async throws {
    let line = try Line(way, password: "wrong")
    try line.board.scratch.write("wrong-password", Array("something wrong\n".utf8))
    chmod(line.board.scratch.path + "/wrong-password", 0o600)
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await line.connection.execute(Command(["id", "-u"], asRoot: true), until: late())
    }
    #expect(failure?.code == .permissionDenied, "\(String(describing: failure))")
    let words = "\(failure?.message ?? "") \(failure?.evidence ?? "") \(failure?.hint ?? "")"
    #expect(!words.contains("something wrong") && !line.said.contains("something wrong"))
    // The ordinary shell goes on.
    let plain = try await line.connection.execute(Command(["id", "-u"]), until: late())
    #expect(plain.standardOutput.text == "\(RootBoard.user)\n")
    await line.connection.close()
  }

  @Test func whoMayNotIsToldWhy() async throws {
    let line = try Line(.sudoInATerminal)
    let none = ConsoleConnection(ShellLine(line.shell), listens: false)
    let unknown = await #expect(throws: ConnectionFailure.self) {
      try await none.execute(Command(["id"], asRoot: true), until: late())
    }
    #expect(unknown?.code == .permissionDenied && unknown?.hint.contains("become") == true)
    await none.close()
    let silent = ConsoleConnection(ShellLine(line.shell), root: RootAccess(.sudo), listens: false)
    let asking = await #expect(throws: ConnectionFailure.self) {
      try await silent.execute(Command(["id"], asRoot: true), until: late())
    }
    #expect(asking?.code == .permissionDenied)
    #expect(asking?.hint.contains("root-password-from") == true, "\(String(describing: asking))")
    await silent.close()
  }
}
