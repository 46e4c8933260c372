import Glibc
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// Boards that lack something, and commands that say nothing.
@Suite(.timeLimit(.minutes(90)))
struct ConsoleFaultTests {
  private func soon() -> Deadline { .after(seconds: 40) }

  /// A shell with mounts of its own, with all this machine's programs.
  private func shell(_ mounts: String, then program: String = "sh -i") throws -> LineShell {
    try LineShell(
      .dash, script: "exec unshare -m /bin/sh -c '\(mounts)&&cd /proc&&exec \(program)'",
      environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
  }

  private static let readOnlyTmp = "mount -t tmpfs -o ro t /tmp&&mount -t tmpfs -o ro t /var/tmp"

  @Test(
    .enabled(if: geteuid() == 0, "needs root for mounts"),
    arguments: [
      "dash -i", "bash --norc -i", "busybox sh -i"
    ])
  func aBoardWithoutTmpRunsCommandsAndTakesFiles(program: String) async throws {
    let shell = try shell(Self.readOnlyTmp, then: program)
    let connection = ShellLine(shell).connection()
    let command = Command(
      ["sh", "-c", "cat; touch /tmp/x; exit 4"], standardInput: .bytes([1, 0, 2]))
    let result = try await connection.execute(command, until: soon())
    #expect(result.termination == .exited(4))
    #expect(result.standardOutput.bytes == [1, 0, 2])
    #expect(result.standardError.text.contains("Read-only file system"))
    await connection.close()
  }

  @Test(.enabled(if: geteuid() == 0, "needs root for mounts"))
  func aBoardWithoutAnyPlaceForFilesSaysSo() async throws {
    let shell = try shell(
      Self.readOnlyTmp + "&&mount -t tmpfs -o ro t /run&&mount --bind /dev /dev"
        + "&&mount -o remount,bind,ro /dev&&mount -t tmpfs -o ro t /dev/shm")
    let connection = ShellLine(shell).connection()
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await connection.execute(Command(["true"]), until: soon())
    }
    #expect(failure?.code == .unsupported)
    #expect(failure?.message.contains("no directory can be written") == true)
    #expect(failure?.hint.contains("tmpfs") == true)
    await connection.close()
  }

  /// Longer than a board that does not answer is waited for; an hour with KELVIN_LONG_TESTS.
  @Test(arguments: [true, false])
  func aCommandThatSaysNothingForLongIsNotGivenUp(endsDescendants: Bool) async throws {
    let seconds = getenv("KELVIN_LONG_TESTS") == nil ? 30 : 3600
    let connection = ShellLine(try LineShell(.dash)).connection()
    let result = try await connection.execute(
      Command(["sh", "-c", "sleep \(seconds); echo done"], endsDescendants: endsDescendants),
      until: .after(seconds: Double(seconds) + 60))
    #expect(result.isSuccess && result.standardOutput.bytes == Array("done\n".utf8))
    await connection.close()
  }
}
