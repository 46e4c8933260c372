import Glibc
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

/// What only a connection by ssh can get wrong, against real servers.
@Suite(.serialized, .enabled(if: SSHServer.obstacle == nil, "no SSH server can be run here"))
struct SSHConnectionTests {
  static func soon() -> Deadline { .after(seconds: 30) }

  private static func obstacle(
    _ options: SSHOptions, until deadline: Deadline = soon()
  ) async -> ConnectionFailure? {
    let connection = ShellConnection(SSHTransport(options))
    do {
      _ = try await connection.execute(Command(["true"]), until: deadline)
      await connection.close()
      return nil
    } catch {
      await connection.close()
      return error
    }
  }

  /// This process's ssh clients, and where their sockets are.
  private static func clients() -> [(processID: Int32, socket: String)] {
    var family: Set<Int32> = [getpid()]
    let all = ProcessEntry.all().filter { !$0.isZombie }
    for _ in 0..<4 {
      for entry in all where family.contains(entry.parent) { family.insert(entry.processID) }
    }
    return family.compactMap { id in
      let words = ((try? LocalFile.read("/proc/\(id)/cmdline")) ?? []).split(separator: 0)
        .map { String(decoding: $0, as: UTF8.self) }
      guard words.first == "ssh", let option = words.firstIndex(of: "-S") else { return nil }
      return (id, words[option + 1])
    }
  }

  // MARK: Who gets in

  @Test(.timeLimit(.minutes(1)))
  func aHostWhoseKeyHasChangedIsRefusedWithWhatToDo() async throws {
    let server = try SSHServer(.sshd)
    let known = try server.knownHosts()
    let other = try SSHServer(.sshd)
    // The same address, another key.
    try LocalFile.copy(
      other.scratch.path + "/host-sshd.pub", to: known, mode: 0o600, until: Self.soon())
    let key = try String(decoding: LocalFile.read(known), as: UTF8.self)
      .split(separator: " ").prefix(2).joined(separator: " ")
    try server.scratch.write("known_hosts", Array("[127.0.0.1]:\(server.port) \(key)\n".utf8))
    let failure = await Self.obstacle(try server.options(hostKey: .file(known)))
    #expect(failure?.code == .unreachable(.hostKeyChanged))
    #expect(failure?.evidence.contains("known_hosts:1") == true)
    #expect(failure?.hint.contains("ssh-keygen") == true)
    #expect(failure?.kind == .infrastructure)
  }

  @Test(.timeLimit(.minutes(1)))
  func anUnknownHostIsRefusedOrRememberedAsAsked() async throws {
    let server = try SSHServer(.sshd)
    var options = try server.options(hostKey: .strict)
    try server.scratch.write(
      "ssh_config", Array("UserKnownHostsFile \(server.scratch.path)/met\n".utf8))
    #expect(await Self.obstacle(options)?.code == .unreachable(.hostKeyUnknown))
    // ssh's own default would ask; there is nobody to ask.
    options.hostKey = .configured
    let failure = await Self.obstacle(options)
    #expect(failure?.code == .unreachable(.hostKeyUnknown))
    #expect(failure?.hint.contains("accept-new") == true)
    options.hostKey = .acceptNew
    #expect(await Self.obstacle(options) == nil)
    options.hostKey = .strict
    #expect(await Self.obstacle(options) == nil)
  }

  @Test(.timeLimit(.minutes(1)), arguments: [SSHServer.Kind.sshd, .dropbear])
  func aWrongKeyIsNotAdmitted(kind: SSHServer.Kind) async throws {
    let server = try SSHServer(kind)
    let stranger = try SSHServer(.sshd)
    var options = try server.options()
    options.key = stranger.scratch.path + "/client"
    let failure = await Self.obstacle(options)
    #expect(failure?.code == .unreachable(.notAdmitted))
    #expect(failure?.evidence.contains("publickey") == true)
    options.key = server.scratch.path + "/no-such-key"
    #expect(await Self.obstacle(options)?.code == .unreachable(.notAdmitted))
  }

  @Test(.timeLimit(.minutes(1)), arguments: [SSHServer.Kind.sshd, .dropbear])
  func aPasswordComesFromTheEnvironmentOrAFile(kind: SSHServer.Kind) async throws {
    let server = try SSHServer(kind)
    var options = try server.options()
    options.key = nil
    try server.scratch.write(
      "ssh_config", Array("IdentityFile /no/such\nIdentityAgent none\n".utf8))
    #expect(await Self.obstacle(options)?.code == .unreachable(.notAdmitted))
    setenv("KELVIN_TEST_PASSWORD", SSHServer.password, 1)
    defer { unsetenv("KELVIN_TEST_PASSWORD") }
    options.password = .environment("KELVIN_TEST_PASSWORD")
    let connection = ShellConnection(SSHTransport(options))
    #expect(try await connection.execute(Command(["true"]), until: Self.soon()).isSuccess)
    // The password is in nobody's arguments.
    for entry in ProcessEntry.all() {
      let words = (try? LocalFile.read("/proc/\(entry.processID)/cmdline")) ?? []
      #expect(!String(decoding: words, as: UTF8.self).contains(SSHServer.password))
    }
    await connection.close()
    try server.scratch.write("password", Array((SSHServer.password + "\n").utf8))
    options.password = .file(server.scratch.path + "/password")
    let failure = await Self.obstacle(options)
    #expect(failure?.hint.contains("chmod 600") == true, "others can read the file")
    chmod(server.scratch.path + "/password", 0o600)
    #expect(await Self.obstacle(options) == nil)
    setenv("KELVIN_TEST_PASSWORD", "wrong", 1)
    options.password = .environment("KELVIN_TEST_PASSWORD")
    let refused = await Self.obstacle(options)
    #expect(refused?.code == .unreachable(.notAdmitted))
    #expect(refused?.hint.contains("password-from") == true)
    #expect(refused?.description.contains("wrong") == false)
  }

  @Test(.timeLimit(.minutes(1)))
  func aHostThatDoesNotServeSaysWhy() async throws {
    let scratch = try Scratch()
    try scratch.write("ssh_config", [])
    var options = SSHOptions(
      host: "127.0.0.1", port: try SSHServer.freePort(),
      configuration: scratch.path + "/ssh_config")
    #expect(await Self.obstacle(options)?.code == .unreachable(.refused))
    options.host = "no-such-host.invalid"
    #expect(await Self.obstacle(options)?.code == .unreachable(.unknownHost))
    options.host = "127.0.0.1"
    // Listens, and says nothing.
    let mute = try MuteServer()
    options.port = mute.port
    let begin = MonotonicTime.now
    let failure = await Self.obstacle(options, until: .after(seconds: 0.5))
    #expect(failure?.code == .timedOut)
    #expect(MonotonicTime.now - begin < 5_000_000_000)
    options.connectTimeout = 1
    #expect(await Self.obstacle(options)?.code == .unreachable(.noAnswer))
  }

  // MARK: Links that break

  @Test(.timeLimit(.minutes(1)), arguments: [SSHServer.Kind.sshd, .dropbear], [true, false])
  func aLinkThatIsCutUnderACommandIsLostAndTheNextCallLogsInAgain(
    kind: SSHServer.Kind, endsDescendants: Bool
  ) async throws {
    let server = try SSHServer(kind, login: .dash)
    let connection = try server.connection()
    let scratch = try Scratch()
    _ = try await connection.execute(Command(["true"]), until: Self.soon())
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
      _ = try await connection.execute(command, until: Self.soon())
      Issue.record("a cut link was a result")
    } catch {
      #expect(error.code == .connectionLost)
      #expect(error.partial?.standardOutput.text == "begun\n")
    }
    #expect(MonotonicTime.now - begin < 15_000_000_000)
    cutter.join()
    #expect(try await connection.execute(Command(["true"]), until: Self.soon()).isSuccess)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func aLinkThatStallsTimesOutAndTheNextCallLogsInAgain() async throws {
    let server = try SSHServer(.sshd, login: .dash)
    let connection = try server.connection()
    _ = try await connection.execute(Command(["true"]), until: Self.soon())
    let stalled = server.sessionProcesses()
    for process in stalled { kill(process, SIGSTOP) }
    var command = Command(["true"])
    command.endsDescendants = false
    let begin = MonotonicTime.now
    await #expect {
      _ = try await connection.execute(command, until: .after(seconds: 0.5))
    } throws: { ($0 as? ConnectionFailure)?.code == .timedOut }
    #expect(MonotonicTime.now - begin < 12_000_000_000)
    #expect(try await connection.execute(command, until: Self.soon()).isSuccess)
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
      let result = try await connection.execute(command, until: Self.soon())
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
        until: Self.soon()
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
      until: Self.soon()
    ) { done, total in
      #expect(total == 5_000_000)
      steps.withLock { $0.append(done) }
    }
    #expect(steps.withLock { $0.last } == 5_000_000)
    #expect(steps.withLock { $0 == $0.sorted() })
    try await connection.pull(
      TargetPath(scratch.path + "/there"), to: scratch.path + "/back", until: Self.soon()
    ) { done, _ in steps.withLock { $0.append(done) } }
    #expect(steps.withLock { $0.last } == 5_000_000)
    #expect(try scratch.read("back") == bytes)
    await connection.close()
  }

  // MARK: What it costs, and what it leaves

  @Test(.timeLimit(.minutes(1)))
  func aSlowLoginCostsOnce() async throws {
    let server = try SSHServer(.sshd, start: "sleep 0.4; echo welcome; echo motd >&2")
    let connection = try server.connection()
    var command = Command(["echo", "out"])
    command.endsDescendants = false
    #expect(
      try await connection.execute(command, until: Self.soon()).standardOutput.text == "out\n")
    var begin = MonotonicTime.now
    for _ in 0..<10 {
      let result = try await connection.execute(command, until: Self.soon())
      #expect(result.standardOutput.text == "out\n")
      #expect(result.standardError.bytes.isEmpty)
    }
    #expect(MonotonicTime.now - begin < 300_000_000)
    // A shell is kept ready for the next command that needs one of its own.
    usleep(1_000_000)
    command.endsDescendants = true
    begin = MonotonicTime.now
    let result = try await connection.execute(command, until: Self.soon())
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
          until: Self.soon()))
    }
    for (number, process) in processes.enumerated() {
      let result = try await process.wait(until: Self.soon())
      #expect(result.standardOutput.text == "\(number) a\n")
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func aServerThatOpensNoShellSaysSo() async throws {
    let server = try SSHServer(.sshd, settings: ["MaxSessions 0"])
    let failure = await Self.obstacle(try server.options())
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
        Command(["echo", "\(number)"]), until: Self.soon())
      #expect(result.standardOutput.text == "\(number)\n")
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func closingLeavesNoProcessAndNoFile() async throws {
    let others = Set(Self.clients().map(\.socket))
    let server = try SSHServer(.sshd)
    let connection = try server.connection()
    let process = try await connection.start(Command(["sleep", "300"]), until: Self.soon())
    let client = try #require(Self.clients().first { !others.contains($0.socket) })
    #expect(access(client.socket, F_OK) == 0)
    await connection.close()
    #expect(ProcessIdentity(processID: process.processID) == nil)
    #expect(ProcessIdentity(processID: client.processID) == nil)
    #expect(access(String(client.socket.dropLast(2)), F_OK) != 0)
    // And it can be used again.
    #expect(try await connection.execute(Command(["true"]), until: Self.soon()).isSuccess)
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

/// Accepts connections by its backlog, and never says anything.
private final class MuteServer: Sendable {
  let port: Int
  private let descriptor: Int32

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = self.descriptor
    let isListening = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && listen(descriptor, 8) == 0
          && getsockname(descriptor, $0, &size) == 0
      }
    }
    port = Int(UInt16(bigEndian: address.sin_port))
    guard isListening else { throw Errno.current }
  }

  deinit { close(descriptor) }
}
