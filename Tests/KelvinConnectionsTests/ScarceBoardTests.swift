import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Boards with a real server that are out of pseudo terminals, or have no writable /tmp.
@Suite(
  .serialized, .enabled(if: geteuid() == 0, "needs root for mounts"), .timeLimit(.minutes(3)))
struct ScarceBoardTests {
  /// One terminal, which somebody else has.
  private static let noTerminals = """
    mount -t devpts -o newinstance,max=1,ptmxmode=666 d /dev/pts
    mount --bind /dev/pts/ptmx /dev/ptmx
    exec 8<>/dev/ptmx
    sleep 300 &
    exec 8>&-
    """
  /// Nothing but the test's own folder can be written where programs put their temporary files.
  private static let noTmp = """
    mount --bind "$0" /mnt
    mount -t tmpfs t /tmp
    mkdir "$0"
    mount --move /mnt "$0"
    mount -o remount,ro /tmp
    mount -t tmpfs -o ro t /var/tmp
    """

  private func soon() -> Deadline { .after(seconds: 40) }

  @Test(.enabled(if: SSHServer.obstacle == nil, "\(SSHServer.obstacle ?? "")"))
  func saysThatABoardByOpenSSHIsOutOfTerminals() async throws {
    let server = try SSHServer(.sshd, mounts: Self.noTerminals)
    // The one that has the terminal is the server's child, too.
    let before = server.sessionProcesses().count
    let transport = SSHTransport(try server.options())
    let connection = ShellConnection(transport)
    let failure = #expect(throws: ConnectionFailure.self) {
      try transport.checkTerminal(until: soon())
    }
    #expect(failure?.code == .refused("PTY allocation request failed"))
    #expect(failure?.hint.contains("target exec") == true)
    // Whatever needs none goes on, and is all that is there.
    let result = try await connection.execute(
      Command(["sh", "-c", "tty; exit 3"]), until: soon())
    #expect(result.termination == .exited(3) && result.standardOutput.text == "not a tty\n")
    await connection.close()
    let deadline = soon()
    while server.sessionProcesses().count > before, !deadline.hasPassed {
      _ = Deadline.after(seconds: 0.02).wait()
    }
    #expect(server.sessionProcesses().count <= before)
  }

  @Test(.enabled(if: SSHServer.obstacle == nil, "\(SSHServer.obstacle ?? "")"))
  func findsATerminalWhereThereIsOne() async throws {
    let server = try SSHServer(.sshd)
    let transport = SSHTransport(try server.options())
    try transport.checkTerminal(until: soon())
    transport.close()
    let denying = try SSHServer(.sshd, settings: ["PermitTTY no"])
    let other = SSHTransport(try denying.options())
    let failure = #expect(throws: ConnectionFailure.self) { try other.checkTerminal(until: soon()) }
    #expect(failure?.hint.contains("PermitTTY") == true)
    other.close()
  }

  @Test(.enabled(if: RealADBD.isThere, "needs adbd from scripts/build-adbd"))
  func saysThatADeviceIsOutOfTerminals() async throws {
    let daemon = try RealADBD(mounts: Self.noTerminals)
    defer { daemon.stop() }
    let keys = try Scratch()
    let device = ADBDirectDevice(
      host: "127.0.0.1", port: daemon.port, keys: ADBKeyStore(directory: keys.path))
    for command in [[], ["sh", "-c", "echo ran"]] {
      let user = try TypingUser(rows: 24, columns: 80)
      let failure = #expect(throws: ConnectionFailure.self) {
        _ = try user.use(ADBTerminal(device, command: command)) { _ in }
      }
      guard case .refused(let words)? = failure?.code else {
        Issue.record("\(String(describing: failure))")
        continue
      }
      print("adbd without terminals says: \(words)")
      #expect(failure?.hint.contains("target exec") == true)
      #expect(!user.shown.contains("ran"))
    }
    let result = try await ADBConnection(device).execute(
      Command(["sh", "-c", "echo ran; exit 3"]), until: soon())
    #expect(result.termination == .exited(3) && result.standardOutput.text == "ran\n")
    device.close()
  }

  @Test(
    .enabled(if: SSHServer.obstacle == nil, "\(SSHServer.obstacle ?? "")"),
    arguments: [SSHServer.Kind.sshd, .dropbear])
  func aBoardWithoutTmpRunsCommandsAndTakesAndGivesFiles(kind: SSHServer.Kind) async throws {
    let scratch = try Scratch()
    let server = try SSHServer(kind, login: .dash, mounts: Self.noTmp, scratch: scratch)
    let connection = try server.connection()
    let command = Command(
      ["sh", "-c", "cat; touch /tmp/x; touch /var/tmp/x; exit 4"], standardInput: .bytes([1, 0, 2]))
    let result = try await connection.execute(command, until: soon())
    #expect(result.termination == .exited(4))
    #expect(result.standardOutput.bytes == [1, 0, 2])
    let error = result.standardError.text
    #expect(
      error.contains("/tmp/x': Read-only") && error.contains("/var/tmp/x': Read-only"), "\(error)")
    var generator = SeededGenerator(seed: 11)
    let bytes = (0..<300_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
    try scratch.write("given", bytes)
    let place = TargetPath(scratch.path + "/home/there")
    try await connection.push(scratch.path + "/given", to: place, mode: 0o640, until: soon())
    try await connection.pull(place, to: scratch.path + "/back", until: soon())
    #expect(try scratch.read("back") == bytes)
    let late = await #expect(throws: ConnectionFailure.self) {
      try await connection.execute(Command(["sleep", "100"]), until: .after(seconds: 0.5))
    }
    #expect(late?.code == .timedOut)
    await connection.close()
    // Nothing but what was pushed is left.
    let left = LocalFile.names(in: scratch.path + "/home").filter { $0 != ".ssh" }.sorted()
    #expect(left == ["there"])
  }
}
