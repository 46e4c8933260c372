import Glibc
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

/// Commands that print nothing for several times as long as a dead link is borne, in place of the hour that
/// nobody waits for in a test. (``ConsoleFaultTests`` has one of 30 s for a console, which is an hour
/// with KELVIN_LONG_TESTS.)
@Suite(
  .serialized, .enabled(if: SSHServer.obstacle == nil, "\(SSHServer.obstacle ?? "")"),
  .timeLimit(.minutes(2)))
struct SilentCommandTests {
  /// Three seconds without an answer end this link.
  private func connection(_ server: SSHServer) throws -> ShellConnection {
    var options = try server.options()
    options.aliveInterval = 1
    return ShellConnection(SSHTransport(options))
  }

  @Test(arguments: [(SSHServer.Kind.sshd, true), (.dropbear, false)])
  func aSilentCommandIsNotGivenUpWhileItsLinkLives(
    kind: SSHServer.Kind, endsDescendants: Bool
  ) async throws {
    let server = try SSHServer(kind, login: .dash)
    let connection = try connection(server)
    let pulse = try #require(try await connection.pulse(until: soon()))
    let beating = try BeatingPulse(pulse, each: 1)
    let begin = MonotonicTime.now
    // Its input is its own: no question of the link's or of the pulse's is in it.
    var command = Command(
      ["sh", "-c", "sleep 5; cat; echo end >&2; exit 5"], standardInput: .bytes([0, 1, 10]))
    command.endsDescendants = endsDescendants
    let result = try await connection.execute(command, until: .after(seconds: 60))
    let asked = beating.stop()
    #expect(result.termination == .exited(5))
    #expect(result.standardOutput.bytes == [0, 1, 10])
    #expect(result.standardError.text == "end\n")
    #expect(MonotonicTime.now - begin >= 5_000_000_000)
    #expect(asked.failure == nil)
    #expect(asked.beats > 3)
    pulse.close()
    await connection.close()
  }

  /// The same silence, of a link: its far end is stopped, and says nothing to questions either.
  @Test func aLinkThatAnswersNothingIsLostLongBeforeTheTimeout() async throws {
    let server = try SSHServer(.sshd, login: .dash)
    let connection = try connection(server)
    let scratch = try Scratch()
    _ = try await connection.execute(Command(["true"]), until: soon())
    let stopper = try NamedThread("stops the server") {
      while access(scratch.path + "/begun", F_OK) != 0 { usleep(1000) }
      for process in server.sessionProcesses() { kill(process, SIGSTOP) }
    }
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await connection.execute(
        Command(["sh", "-c", "touch \(scratch.path)/begun; exec sleep 50"]),
        until: .after(seconds: 50))
    }
    stopper.join()
    #expect(failure?.code == .connectionLost, "\(String(describing: failure))")
    for process in server.sessionProcesses() { kill(process, SIGKILL) }
    await connection.close()
  }
}
