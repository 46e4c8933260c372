import Glibc
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

/// Links by ssh that break, against real servers.
@Suite(.serialized, .enabled(if: SSHServer.obstacle == nil, "no SSH server can be run here"))
struct SSHLinkTests {
  @Test(.timeLimit(.minutes(1)), arguments: [SSHServer.Kind.sshd, .dropbear], [true, false])
  func aLinkThatIsCutUnderACommandIsLostAndTheNextCallLogsInAgain(
    kind: SSHServer.Kind, endsDescendants: Bool
  ) async throws {
    let server = try SSHServer(kind, login: .dash)
    let connection = try server.connection()
    let scratch = try Scratch()
    _ = try await connection.execute(Command(["true"]), until: SSHClients.soon())
    var command = Command([
      "sh", "-c", "echo begun; touch \(scratch.path)/begun; exec sleep 20"
    ])
    command.endsDescendants = endsDescendants
    let cutter = try NamedThread("cutter") {
      while access(scratch.path + "/begun", F_OK) != 0 { usleep(1000) }
      for process in server.sessionProcesses() { kill(process, SIGKILL) }
    }
    let begin = MonotonicTime.now
    do {
      _ = try await connection.execute(command, until: SSHClients.soon())
      Issue.record("a cut link was a result")
    } catch {
      #expect(error.code == .connectionLost)
      #expect(error.partial?.standardOutput.text == "begun\n")
    }
    #expect(MonotonicTime.now - begin < 15_000_000_000)
    cutter.join()
    #expect(try await connection.execute(Command(["true"]), until: SSHClients.soon()).isSuccess)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func aLinkThatStallsTimesOutAndTheNextCallLogsInAgain() async throws {
    let server = try SSHServer(.sshd, login: .dash)
    let connection = try server.connection()
    _ = try await connection.execute(Command(["true"]), until: SSHClients.soon())
    let stalled = server.sessionProcesses()
    for process in stalled { kill(process, SIGSTOP) }
    var command = Command(["true"])
    command.endsDescendants = false
    let begin = MonotonicTime.now
    await #expect {
      _ = try await connection.execute(command, until: .after(seconds: 0.5))
    } throws: { ($0 as? ConnectionFailure)?.code == .timedOut }
    #expect(MonotonicTime.now - begin < 12_000_000_000)
    #expect(try await connection.execute(command, until: SSHClients.soon()).isSuccess)
    for process in stalled { kill(process, SIGKILL) }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func anExitOf255IsNoLostLink() async throws {
    let server = try SSHServer(.sshd)
    let connection = try server.connection()
    for endsDescendants in [true, false] {
      var command = Command(["sh", "-c", "echo out; exit 255"])
      command.endsDescendants = endsDescendants
      let result = try await connection.execute(command, until: SSHClients.soon())
      #expect(result.termination == .exited(255))
      #expect(result.standardOutput.text == "out\n")
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: [SSHServer.Kind.sshd, .dropbear])
  func aLinkThatIsCutUnderACopyLeavesTheOldFile(kind: SSHServer.Kind) async throws {
    let server = try SSHServer(kind, login: .dash)
    let connection = try server.connection()
    let scratch = try Scratch()
    try scratch.write("old", Array("old".utf8))
    try scratch.write("big", [UInt8](repeating: 7, count: 100_000_000))
    let begin = Interrupt()
    let cutter = try NamedThread("cutter") {
      _ = Deadline.after(seconds: 30, interrupt: begin).wait()
      for process in server.sessionProcesses() { kill(process, SIGKILL) }
    }
    do {
      try await connection.push(
        scratch.path + "/big", to: TargetPath(scratch.path + "/old"), mode: 0o644,
        until: SSHClients.soon()
      ) { done, _ in if done > 1_000_000 { begin.raise() } }
      Issue.record("a cut link was a success")
    } catch {
      #expect(error.code == .connectionLost)
    }
    cutter.join()
    #expect(try scratch.read("old") == Array("old".utf8))
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func aCopySaysHowFarItIs() async throws {
    let server = try SSHServer(.sshd)
    let connection = try server.connection()
    let scratch = try Scratch()
    let bytes = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    try scratch.write("big", bytes)
    let steps = Mutex<[Int64]>([])
    try await connection.push(
      scratch.path + "/big", to: TargetPath(scratch.path + "/there"), mode: 0o600,
      until: SSHClients.soon()
    ) { done, total in
      #expect(total == 5_000_000)
      steps.withLock { $0.append(done) }
    }
    #expect(steps.withLock { $0.last } == 5_000_000)
    #expect(steps.withLock { $0 == $0.sorted() })
    try await connection.pull(
      TargetPath(scratch.path + "/there"), to: scratch.path + "/back", until: SSHClients.soon()
    ) { done, _ in steps.withLock { $0.append(done) } }
    #expect(steps.withLock { $0.last } == 5_000_000)
    #expect(try scratch.read("back") == bytes)
    await connection.close()
  }
}
