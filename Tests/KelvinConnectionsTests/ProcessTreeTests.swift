import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Ending everything that a command started, and nothing else. One test at a time: what the last of
/// them looks at is all children of this process.
@Suite(.serialized) struct ProcessTreeTests {
  private static func soon() -> Deadline { .after(seconds: 30) }

  /// Waits until a file holds a process id.
  private func pid(in file: String) async throws -> pid_t {
    let deadline = Self.soon()
    while !deadline.hasPassed {
      if let bytes = try? LocalFile.read(file),
        let pid = pid_t(String(decoding: bytes, as: UTF8.self).filter(\.isNumber))
      {
        return pid
      }
      try await Task.sleep(for: .milliseconds(2))
    }
    throw Errno(ETIMEDOUT)
  }

  private func isAlive(_ pid: pid_t) -> Bool { ProcessIdentity(processID: pid) != nil }

  @Test(.timeLimit(.minutes(1)))
  func aDaemonThatKeepsThePipeOpenNeitherHangsNorSurvives() async throws {
    ProcessLauncher.becomeSubreaper()
    let scratch = try Scratch()
    let result = try await LocalConnection().execute(
      Command([
        "sh", "-c",
        """
        (setsid sh -c 'echo $$ > \(scratch.path)/pid; exec sleep 300' &)
        while ! test -s \(scratch.path)/pid; do :; done; echo done
        """
      ]), until: Self.soon())
    #expect(result.standardOutput.text == "done\n")
    #expect(result.endedDescendants >= 1)
    #expect(!isAlive(try await pid(in: scratch.path + "/pid")))
  }

  @Test(.timeLimit(.minutes(1)))
  func aDaemonIsLeftWhenThatIsAskedFor() async throws {
    ProcessLauncher.becomeSubreaper()
    let scratch = try Scratch()
    var command = Command([
      "sh", "-c",
      """
      (setsid sh -c 'echo $$ > \(scratch.path)/pid; exec sleep 300' >/dev/null 2>&1 &)
      while ! test -s \(scratch.path)/pid; do :; done
      """
    ])
    command.endsDescendants = false
    let result = try await LocalConnection().execute(command, until: Self.soon())
    #expect(result.endedDescendants == 0)
    let daemon = try await pid(in: scratch.path + "/pid")
    #expect(isAlive(daemon))
    kill(daemon, SIGKILL)
    waitpid(daemon, nil, 0)
  }

  @Test(.timeLimit(.minutes(1)))
  func whatIgnoresSIGTERMIsKilledAfterItsGrace() async throws {
    let scratch = try Scratch()
    let command = Command(
      [
        "sh", "-c",
        "trap '' TERM; sleep 300 & echo $! > \(scratch.path)/pid; while :; do sleep 1; done"
      ], grace: 0.2)
    let process = try await LocalConnection().start(command, until: Self.soon())
    let child = try await pid(in: scratch.path + "/pid")
    await #expect {
      _ = try await process.wait(until: .after(seconds: 0.1))
    } throws: {
      ($0 as? ConnectionFailure)?.partial?.termination == .signaled(SIGKILL)
    }
    #expect(!isAlive(child))
  }

  @Test(.timeLimit(.minutes(1)))
  func twoCommandsAtOnceDoNotEndEachOther() async throws {
    ProcessLauncher.becomeSubreaper()
    let scratch = try Scratch()
    let connection = LocalConnection()
    let long = try await connection.start(
      Command(["sh", "-c", "sleep 300 & echo $! > \(scratch.path)/pid; wait; echo end"]),
      until: Self.soon())
    let child = try await pid(in: scratch.path + "/pid")
    for _ in 0..<20 {
      _ = try await connection.execute(
        Command(["sh", "-c", "(setsid sleep 300 &); exit 0"]), until: Self.soon())
    }
    #expect(isAlive(child))
    #expect(isAlive(long.processID))
    kill(child, SIGTERM)
    let result = try await long.wait(until: Self.soon())
    #expect(result.standardOutput.text.hasSuffix("end\n"))
  }

  @Test(.timeLimit(.minutes(1)))
  func childrenOfOtherCodeAreLeftAlone() async throws {
    ProcessLauncher.becomeSubreaper()
    var child = pid_t()
    let argv: [String] = ["sleep", "300"]
    var words: [UnsafeMutablePointer<CChar>?] = argv.map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    try #require(posix_spawnp(&child, "sleep", nil, nil, words, environ) == 0)
    for _ in 0..<5 {
      _ = try await LocalConnection().execute(
        Command(["sh", "-c", "(setsid sleep 300 &); exit 0"]), until: Self.soon())
    }
    #expect(isAlive(child))
    kill(child, SIGKILL)
    waitpid(child, nil, 0)
  }

  @Test(.timeLimit(.minutes(1)))
  func launchesLeaveNoDescriptorOpen() async throws {
    func open() -> Int { LocalFile.names(in: "/proc/self/fd").count }
    let connection = LocalConnection()
    _ = try await connection.execute(Command(["true"]), until: Self.soon())
    // Other tests open and close meanwhile: the least of several looks counts.
    var least = Int.max
    let before = (0..<5).map { _ in open() }.min() ?? 0
    for _ in 0..<200 {
      _ = try await connection.execute(
        Command(["sh", "-c", "echo x"], standardInput: .bytes([1])), until: Self.soon())
      least = min(least, open())
    }
    #expect(least <= before + 20)
  }

  @Test(.timeLimit(.minutes(1)))
  func survivorsAreFoundByMarkerAndIdentity() async throws {
    let marker = "KELVIN_RUN=hunter-\(getpid())"
    let scratch = try Scratch()
    var command = Command([
      "sh", "-c",
      "setsid sleep 300 >/dev/null 2>&1 & echo $! > \(scratch.path)/pid"
    ])
    command.environment = ["KELVIN_RUN": "hunter-\(getpid())"]
    command.endsDescendants = false
    _ = try await LocalConnection().execute(command, until: Self.soon())
    let survivor = try await pid(in: scratch.path + "/pid")
    // The wrong start ticks name another process: it is left alone.
    let other = try await LocalConnection().start(Command(["sleep", "300"]), until: Self.soon())
    let wrong = ProcessIdentity(processID: other.processID, startTicks: 1)
    let right = try #require(ProcessIdentity(processID: survivor))
    let ended = SurvivorHunter.endProcesses(
      withEnvironment: marker, alsoIdentities: [wrong], grace: 1, until: Self.soon())
    #expect(ended == [right])
    #expect(!isAlive(survivor))
    #expect(isAlive(other.processID))
    let named = try #require(ProcessIdentity(processID: other.processID))
    let second = SurvivorHunter.endProcesses(
      withEnvironment: "KELVIN_RUN=nobody-has-this", alsoIdentities: [named], grace: 1,
      until: Self.soon())
    #expect(second == [named])
    _ = try? await other.wait(until: Self.soon())
    waitpid(survivor, nil, WNOHANG)
  }
}
