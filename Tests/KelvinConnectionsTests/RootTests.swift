import Foundation
import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Commands as root of a user who is not: all that a command promises, and nothing of the password.
@Suite(
  .serialized, .enabled(if: RootBoard.obstacle == nil, "\(RootBoard.obstacle ?? "")"),
  .timeLimit(.minutes(3)))
struct RootTests {
  @Test(arguments: RootWay.allCases) func keepsEveryPromise(way: RootWay) async throws {
    let (board, connection) = try way.board()
    func execute(_ script: String, _ input: Command.Input = .null) async throws -> CommandResult {
      try await connection.execute(
        Command(["sh", "-c", script], standardInput: input, asRoot: true), until: soon())
    }
    let who = try await execute("id -u; exec echo error >&2")
    #expect(who.standardOutput.text == "0\n")
    #expect(who.standardError.text == "error\n")
    let plain = try await connection.execute(Command(["id", "-u"]), until: soon())
    #expect(plain.standardOutput.text == "\(RootBoard.user)\n")
    #expect(try await execute("exit 7").termination == .exited(7))
    #expect(try await execute("kill -9 $$").termination == .signaled(9))
    // Input is the command's own, to the byte, and nothing else is in it.
    #expect(try await execute("cat").standardOutput.bytes == [])
    let bytes = FastbootTests.noise(200_000, seed: 7)
    #expect(try await execute("cat", .bytes(bytes)).standardOutput.bytes == bytes)
    let missing = await #expect(throws: ConnectionFailure.self) {
      try await connection.execute(Command(["no-such-program"], asRoot: true), until: soon())
    }
    #expect(missing?.code == .notFound)
    // What root can see of all processes' words.
    let words = try await execute("cat /proc/[0-9]*/cmdline /proc/self/environ 2>/dev/null; :")
    for password in [RootBoard.rootPassword, RootBoard.userPassword] {
      #expect(!words.standardOutput.text.contains(password))
    }
    await connection.close()
    withExtendedLifetime(board) {}
  }

  @Test(arguments: RootWay.allCases) func itsTreeIsEndedAtTheDeadline(way: RootWay) async throws {
    let (board, connection) = try way.board()
    let file = board.scratch.path + "/pids"
    var command = Command(
      ["sh", "-c", "(exec setsid sleep 1000) & echo $$ $! > \(file); echo begun; sleep 1000"],
      asRoot: true)
    command.grace = 0.2
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await connection.execute(command, until: .after(seconds: 3))
    }
    #expect(failure?.code == .timedOut)
    #expect(failure?.partial?.standardOutput.text == "begun\n")
    let pids = String(decoding: try board.scratch.read("pids"), as: UTF8.self)
      .split { $0 == " " || $0 == "\n" }.compactMap { Int32($0) }
    #expect(pids.count == 2)
    for pid in pids { #expect(ProcessIdentity(processID: pid) == nil, "\(pid) lives") }
    // A signal reaches it, too.
    let process = try await connection.start(
      Command(["sleep", "1000"], asRoot: true), until: soon())
    try await process.signal(SIGTERM)
    #expect(try await process.wait(until: soon()).termination == .signaled(SIGTERM))
    await connection.close()
  }

  @Test func shortCommandsShareOneShell() async throws {
    let (board, connection) = try RootWay.sudo.board()
    for number in 0..<20 {
      let result = try await connection.execute(
        Command(["echo", "\(number)"], endsDescendants: false, asRoot: true), until: soon())
      #expect(result.standardOutput.text == "\(number)\n")
    }
    #expect(board.sudoRuns == 1)
    await connection.close()
  }

  @Test(arguments: [RootAccess.Method.sudo, .su])
  func aWrongPasswordIsAPermissionThatIsMissing(method: RootAccess.Method) async throws {
    let board = try RootBoard()
    try board.scratch.write("wrong-password", Array("something wrong\n".utf8))
    chmod(board.scratch.path + "/wrong-password", 0o600)
    let connection = board.connection(RootAccess(method, password: board.password("wrong")))
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await connection.execute(Command(["id", "-u"], asRoot: true), until: soon())
    }
    #expect(failure?.code == .permissionDenied)
    let words = "\(failure?.message ?? "") \(failure?.evidence ?? "") \(failure?.hint ?? "")"
    #expect(!words.contains("something wrong"), "\(words)")
    // The ordinary shell goes on.
    let plain = try await connection.execute(Command(["id", "-u"]), until: soon())
    #expect(plain.standardOutput.text == "\(RootBoard.user)\n")
    await connection.close()
  }

  @Test func whoMayNotIsToldWhy() async throws {
    let board = try RootBoard(rules: ["other ALL=(ALL) ALL"])
    func fail(_ connection: ShellConnection) async -> ConnectionFailure? {
      let failure = await #expect(throws: ConnectionFailure.self) {
        try await connection.execute(Command(["id", "-u"], asRoot: true), until: soon())
      }
      await connection.close()
      return failure
    }
    let stranger = await fail(
      board.connection(RootAccess(.sudo, password: board.password("user"))))
    #expect(stranger?.code == .permissionDenied)
    #expect(
      stranger?.evidence.contains("not in the sudoers") == true, "\(stranger?.evidence ?? "")")
    let silent = await fail(board.connection(RootAccess(.su)))
    #expect(silent?.code == .permissionDenied)
    #expect(silent?.hint.contains("root-password-from") == true)
    let unknown = await fail(board.connection(nil))
    #expect(unknown?.code == .permissionDenied)
    #expect(unknown?.hint.contains("become") == true)
    let bare = await fail(
      board.connection(RootAccess(.sudo), path: board.scratch.path + "/bare"))
    #expect(bare?.code == .unsupported)
    #expect(bare?.message.contains("no 'sudo'") == true)
    let open = try Scratch()
    try open.write("readable", Array("x\n".utf8))
    chmod(open.path + "/readable", 0o644)
    let readable = await fail(
      board.connection(RootAccess(.sudo, password: .file(open.path + "/readable"))))
    #expect(readable?.code == .permissionDenied)
    #expect(readable?.message.contains("others can read it") == true)
  }

  @Test func rootsSurvivorsAreFound() async throws {
    let (board, connection) = try RootWay.sudo.board()
    let mark = "KELVIN_TEST=\(UInt64.random(in: 0 ... .max))"
    let file = board.scratch.path + "/pid"
    _ = try await connection.execute(
      Command(
        ["sh", "-c", "\(mark) setsid sleep 1000 >/dev/null 2>&1 & echo $! > \(file)"],
        endsDescendants: false, asRoot: true), until: soon())
    let pid =
      Int32(
        String(decoding: try board.scratch.read("pid"), as: UTF8.self).dropLast()) ?? -1
    #expect(kill(pid, 0) == 0)
    let count = try await connection.endProcesses(
      withEnvironment: mark, grace: 1, until: soon())
    #expect(count == 1)
    await connection.close()
  }

  @Test func adbdIsRestartedAsRootOnce() async throws {
    let daemon = try SimulatedADBD()
    let keys = try Scratch()
    let connection = ADBConnection(
      ADBDirectDevice(
        host: "127.0.0.1", port: daemon.port, keys: ADBKeyStore(directory: keys.path)),
      restartsAsRoot: true)
    #expect(!daemon.isRoot)
    for _ in 0..<3 {
      let result = try await connection.execute(
        Command(["echo", "x"], asRoot: true), until: soon())
      #expect(result.standardOutput.text == "x\n")
    }
    #expect(daemon.isRoot)
    #expect(daemon.services.count { $0 == "root:" } == 1)
    await connection.close()
    daemon.stop()
    var settings = SimulatedADBD.Settings()
    settings.isProduction = true
    let production = try SimulatedADBD(settings)
    let other = ADBConnection(
      ADBDirectDevice(
        host: "127.0.0.1", port: production.port, keys: ADBKeyStore(directory: keys.path)),
      restartsAsRoot: true)
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await other.execute(Command(["true"], asRoot: true), until: soon())
    }
    #expect(failure?.code == .permissionDenied)
    await other.close()
    production.stop()
  }
}
