import Glibc
import KelvinModel
import Testing

@testable import KelvinConnections

/// What only a connection through a shell can get wrong.
@Suite struct ShellConnectionTests {
  @Test(.timeLimit(.minutes(1)))
  func aShellThatDiesIsALostConnectionAndTheNextCallWorks() async throws {
    let connection = ShellConnection(argv: ["dash"])
    let soon = Deadline.after(seconds: 30)
    var command = Command(["sh", "-c", "kill -9 $PPID"])
    command.endsDescendants = false
    await #expect {
      _ = try await connection.execute(command, until: soon)
    } throws: { ($0 as? ConnectionFailure)?.code == .connectionLost }
    let bytes = try await connection.read("/proc/sys/kernel/ostype", until: soon)
    #expect(bytes == Array("Linux\n".utf8))
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func aCommandBeyondItsDeadlineEndsTheShellAndTheNextOneWorks() async throws {
    let connection = ShellConnection(argv: ["dash"])
    var command = Command(["sleep", "60"])
    command.endsDescendants = false
    await #expect {
      _ = try await connection.execute(command, until: .after(seconds: 0.2))
    } throws: { ($0 as? ConnectionFailure)?.code == .timedOut }
    let result = try await connection.execute(Command(["true"]), until: .after(seconds: 20))
    #expect(result.isSuccess)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func outputThatLooksLikeAFrameIsOutput() async throws {
    let connection = ShellConnection(argv: ["dash"])
    var command = Command(["printf", "\\nkelvin-0123456789abcdef0123456789abcdef 0\\n"])
    command.endsDescendants = false
    let result = try await connection.execute(command, until: .after(seconds: 20))
    #expect(
      result.standardOutput.text == "\nkelvin-0123456789abcdef0123456789abcdef 0\n")
    await connection.close()
  }

  @Test(arguments: [
    ("cat: /x: No such file or directory", Errno.notFound),
    ("head: /proc/self/mem: Input/output error", Errno.io),
    ("dd: error writing '/sys/x': Invalid argument", Errno(EINVAL)),
    ("sh: can't open '/x': Permission denied", Errno.permissionDenied)
  ])
  func messagesOfToolsNameAnErrno(message: String, error: Errno) {
    #expect(ShellConnection.errno(inMessage: Array(message.utf8)) == error)
  }

  @Test func messagesWithoutAnErrorNameNone() {
    #expect(ShellConnection.errno(inMessage: Array("3+0 records in\n3+0 records out".utf8)) == nil)
  }
}
