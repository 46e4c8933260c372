import Glibc
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

/// What a connection by ssh costs and leaves, against real servers.
@Suite(.serialized, .enabled(if: SSHServer.obstacle == nil, "no SSH server can be run here"))
struct SSHCostTests {
  @Test(.timeLimit(.minutes(1)))
  func aSlowLoginCostsOnce() async throws {
    let server = try SSHServer(.sshd, start: "sleep 0.4; echo welcome; echo motd >&2")
    let connection = try server.connection()
    var command = Command(["echo", "out"])
    command.endsDescendants = false
    #expect(
      try await connection.execute(command, until: SSHClients.soon()).standardOutput.text == "out\n"
    )
    var begin = MonotonicTime.now
    for _ in 0..<10 {
      let result = try await connection.execute(command, until: SSHClients.soon())
      #expect(result.standardOutput.text == "out\n")
      #expect(result.standardError.bytes.isEmpty)
    }
    #expect(MonotonicTime.now - begin < 300_000_000)
    // A shell is kept ready for the next command that needs one of its own.
    usleep(1_000_000)
    command.endsDescendants = true
    begin = MonotonicTime.now
    let result = try await connection.execute(command, until: SSHClients.soon())
    #expect(MonotonicTime.now - begin < 350_000_000)
    #expect(result.standardOutput.text == "out\n")
    #expect(result.standardError.bytes.isEmpty)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func moreCommandsAtOnceThanOneLoginAllowsUseAnother() async throws {
    let server = try SSHServer(.sshd, settings: ["MaxSessions 3"])
    let connection = try server.connection()
    var processes: [any RemoteProcess] = []
    for number in 0..<10 {
      processes.append(
        try await connection.start(
          Command(["sh", "-c", "read line; echo \(number) $line"], standardInput: .bytes([97, 10])),
          until: SSHClients.soon()))
    }
    for (number, process) in processes.enumerated() {
      let result = try await process.wait(until: SSHClients.soon())
      #expect(result.standardOutput.text == "\(number) a\n")
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func aServerThatOpensNoShellSaysSo() async throws {
    let server = try SSHServer(.sshd, settings: ["MaxSessions 0"])
    let failure = await SSHClients.obstacle(try server.options())
    #expect(failure?.code == .unsupported)
    #expect(failure?.evidence.contains("refused") == true)
  }

  @Test(.timeLimit(.minutes(2)), arguments: [SSHServer.Kind.sshd, .dropbear])
  func aGigabyteOfOutputIsCountedInBoundedMemory(kind: SSHServer.Kind) async throws {
    func peak() -> Int64 {
      var usage = rusage()
      getrusage(__rusage_who_t(0), &usage)
      return Int64(usage.ru_maxrss) << 10
    }
    let server = try SSHServer(kind, login: .dash)
    let connection = try server.connection()
    let before = peak()
    for endsDescendants in [true, false] {
      var command = Command(
        ["head", "-c", "500000000", "/dev/zero"], standardOutput: .capture(limit: 1 << 20))
      command.endsDescendants = endsDescendants
      let result = try await connection.execute(command, until: .after(seconds: 100))
      #expect(result.standardOutput.totalBytes == 500_000_000)
      #expect(result.standardOutput.keptBytes == 1 << 20)
    }
    #expect(peak() - before < 64 << 20)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: [SSHServer.Kind.sshd, .dropbear])
  func manyChannelsOneAfterTheOtherAllAnswer(kind: SSHServer.Kind) async throws {
    let server = try SSHServer(kind, login: .dash)
    let connection = try server.connection()
    for number in 0..<60 {
      let result = try await connection.execute(
        Command(["echo", "\(number)"]), until: SSHClients.soon())
      #expect(result.standardOutput.text == "\(number)\n")
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func closingLeavesNoProcessAndNoFile() async throws {
    let others = Set(SSHClients.all().map(\.socket))
    let server = try SSHServer(.sshd)
    let connection = try server.connection()
    let process = try await connection.start(Command(["sleep", "300"]), until: SSHClients.soon())
    let client = try #require(SSHClients.all().first { !others.contains($0.socket) })
    #expect(access(client.socket, F_OK) == 0)
    await connection.close()
    #expect(ProcessIdentity(processID: process.processID) == nil)
    #expect(ProcessIdentity(processID: client.processID) == nil)
    #expect(access(String(client.socket.dropLast(2)), F_OK) != 0)
    // And it can be used again.
    #expect(try await connection.execute(Command(["true"]), until: SSHClients.soon()).isSuccess)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func aKelvinThatIsKilledLeavesNoClientAndNoFile() async throws {
    let server = try SSHServer(.sshd)
    let scratch = try Scratch()
    mkdir(scratch.path + "/d", 0o700)
    let words = SSHMaster.words(try server.options(), directory: scratch.path + "/d")
    // Whoever holds the client's input is killed as Kelvin would be.
    let holder = try ProcessLauncher(environment: [:]).start(
      Command(
        [
          "sh", "-c",
          "mkfifo '\(scratch.path)/f'; \"$@\" <'\(scratch.path)/f' & exec sleep 300 "
            + ">'\(scratch.path)/f'", "sh"
        ] + words))
    let ready = Deadline.after(seconds: 20)
    while access(scratch.path + "/d/s", F_OK) != 0, !ready.hasPassed { usleep(5000) }
    #expect(access(scratch.path + "/d/s", F_OK) == 0)
    let sessions = server.sessionProcesses()
    #expect(!sessions.isEmpty)
    kill(holder.processID, SIGKILL)
    let deadline = Deadline.after(seconds: 10)
    while access(scratch.path + "/d", F_OK) == 0 || !server.sessionProcesses().isEmpty,
      !deadline.hasPassed
    { usleep(5000) }
    #expect(access(scratch.path + "/d", F_OK) != 0)
    #expect(server.sessionProcesses().isEmpty)
    holder.release()
  }
}
