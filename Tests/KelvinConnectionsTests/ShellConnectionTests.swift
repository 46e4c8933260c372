import Glibc
import KelvinModel
import KelvinSystem
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

  @Test(.timeLimit(.minutes(1)))
  func whatACommandLeftBehindDoesNotSpeakInTheNextReply() async throws {
    let connection = ShellConnection(argv: ["dash"])
    let scratch = try Scratch()
    var command = Command([
      "sh", "-c", "(while [ ! -e \(scratch.path)/go ]; do sleep 0.01; done; echo stray) & exit 0"
    ])
    command.endsDescendants = false
    #expect(try await connection.execute(command, until: .after(seconds: 20)).isSuccess)
    try scratch.write("go", [])
    usleep(200_000)
    let bytes = try await connection.read("/proc/sys/kernel/ostype", until: .after(seconds: 20))
    #expect(bytes == Array("Linux\n".utf8))
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func aLoginThatTalksIsNoOutput() async throws {
    let connection = ShellConnection(
      argv: ["dash", "-c", "printf 'Welcome\\nlast login'; printf 'motd' >&2; exec dash"])
    for endsDescendants in [true, false] {
      var command = Command(["sh", "-c", "echo out; echo err >&2"])
      command.endsDescendants = endsDescendants
      let result = try await connection.execute(command, until: .after(seconds: 20))
      #expect(result.standardOutput.text == "out\n")
      #expect(result.standardError.text == "err\n")
    }
    await connection.close()
  }

  @Test(
    .timeLimit(.minutes(1)), arguments: [["true"], ["sh", "-c", "echo no such luck >&2; exit 3"]])
  func aShellThatNeverAnswersIsALostConnectionThatSaysWhatItSaid(argv: [String]) async throws {
    let connection = ShellConnection(argv: argv)
    for endsDescendants in [true, false] {
      var command = Command(["true"])
      command.endsDescendants = endsDescendants
      await #expect {
        _ = try await connection.execute(command, until: .after(seconds: 20))
      } throws: {
        let failure = $0 as? ConnectionFailure
        return failure?.code == .connectionLost
          && (argv.count == 1 || failure?.message.contains("no such luck") == true)
      }
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func aShellThatIsSilentTimesOut() async throws {
    let connection = ShellConnection(argv: ["sleep", "60"])
    for endsDescendants in [true, false] {
      var command = Command(["true"])
      command.endsDescendants = endsDescendants
      let begin = MonotonicTime.now
      await #expect {
        _ = try await connection.execute(command, until: .after(seconds: 0.3))
      } throws: { ($0 as? ConnectionFailure)?.code == .timedOut }
      #expect(MonotonicTime.now - begin < 5_000_000_000)
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func aShellThatIsKilledUnderACommandIsALostConnectionWithWhatCame() async throws {
    let connection = ShellConnection(argv: ["dash"])
    let scratch = try Scratch()
    let process = try await connection.start(
      Command(["sh", "-c", "echo begun; touch \(scratch.path)/begun; exec sleep 300"], grace: 0),
      until: .after(seconds: 20))
    while access(scratch.path + "/begun", F_OK) != 0 { usleep(1000) }
    let parent = try #require(ProcessEntry(processID: process.processID)).parent
    kill(parent, SIGKILL)
    await #expect {
      _ = try await process.wait(until: .after(seconds: 20))
    } throws: {
      let failure = $0 as? ConnectionFailure
      return failure?.code == .connectionLost
        && failure?.partial?.standardOutput.text == "begun\n"
    }
    kill(process.processID, SIGKILL)
    await connection.close()
  }

  @Test(arguments: [
    ("cat: /x: No such file or directory", Errno.notFound),
    ("head: /proc/self/mem: Input/output error", Errno.io),
    ("dd: error writing '/sys/x': Invalid argument", Errno(EINVAL)),
    ("sh: can't open '/x': Permission denied", Errno.permissionDenied)
  ])
  func messagesOfToolsNameAnErrno(message: String, error: Errno) {
    #expect(ShellReply.errno(inMessage: Array(message.utf8)) == error)
  }

  @Test func messagesWithoutAnErrorNameNone() {
    #expect(ShellReply.errno(inMessage: Array("3+0 records in\n3+0 records out".utf8)) == nil)
  }
}
