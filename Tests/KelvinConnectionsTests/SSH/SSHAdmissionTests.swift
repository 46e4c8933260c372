import Glibc
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

/// Who gets in by ssh, against real servers.
@Suite(.serialized, .enabled(if: SSHServer.obstacle == nil, "no SSH server can be run here"))
struct SSHAdmissionTests {
  @Test(.timeLimit(.minutes(1)))
  func aHostWhoseKeyHasChangedIsRefusedWithWhatToDo() async throws {
    let server = try SSHServer(.sshd)
    let known = try server.knownHosts()
    let other = try SSHServer(.sshd)
    // The same address, another key.
    try LocalFile.copy(
      other.scratch.path + "/host-sshd.pub", to: known, mode: 0o600, until: SSHClients.soon())
    let key = try String(decoding: LocalFile.read(known), as: UTF8.self)
      .split(separator: " ").prefix(2).joined(separator: " ")
    try server.scratch.write("known_hosts", Array("[127.0.0.1]:\(server.port) \(key)\n".utf8))
    let failure = await SSHClients.obstacle(try server.options(hostKey: .file(known)))
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
    #expect(await SSHClients.obstacle(options)?.code == .unreachable(.hostKeyUnknown))
    // ssh's own default would ask; there is nobody to ask.
    options.hostKey = .configured
    let failure = await SSHClients.obstacle(options)
    #expect(failure?.code == .unreachable(.hostKeyUnknown))
    #expect(failure?.hint.contains("accept-new") == true)
    options.hostKey = .acceptNew
    #expect(await SSHClients.obstacle(options) == nil)
    options.hostKey = .strict
    #expect(await SSHClients.obstacle(options) == nil)
  }

  @Test(.timeLimit(.minutes(1)), arguments: [SSHServer.Kind.sshd, .dropbear])
  func aWrongKeyIsNotAdmitted(kind: SSHServer.Kind) async throws {
    let server = try SSHServer(kind)
    let stranger = try SSHServer(.sshd)
    var options = try server.options()
    options.key = stranger.scratch.path + "/client"
    let failure = await SSHClients.obstacle(options)
    #expect(failure?.code == .unreachable(.notAdmitted))
    #expect(failure?.evidence.contains("publickey") == true)
    options.key = server.scratch.path + "/no-such-key"
    #expect(await SSHClients.obstacle(options)?.code == .unreachable(.notAdmitted))
  }

  @Test(.timeLimit(.minutes(1)), arguments: [SSHServer.Kind.sshd, .dropbear])
  func aPasswordComesFromTheEnvironmentOrAFile(kind: SSHServer.Kind) async throws {
    let server = try SSHServer(kind)
    var options = try server.options()
    options.key = nil
    try server.scratch.write(
      "ssh_config", Array("IdentityFile /no/such\nIdentityAgent none\n".utf8))
    #expect(await SSHClients.obstacle(options)?.code == .unreachable(.notAdmitted))
    setenv("KELVIN_TEST_PASSWORD", SSHServer.password, 1)
    defer { unsetenv("KELVIN_TEST_PASSWORD") }
    options.password = .environment("KELVIN_TEST_PASSWORD")
    let connection = ShellConnection(SSHTransport(options))
    #expect(try await connection.execute(Command(["true"]), until: SSHClients.soon()).isSuccess)
    // The password is in nobody's arguments.
    for entry in ProcessEntry.all() {
      let words = (try? LocalFile.read("/proc/\(entry.processID)/cmdline")) ?? []
      #expect(!String(decoding: words, as: UTF8.self).contains(SSHServer.password))
    }
    await connection.close()
    try server.scratch.write("password", Array((SSHServer.password + "\n").utf8))
    options.password = .file(server.scratch.path + "/password")
    let failure = await SSHClients.obstacle(options)
    #expect(failure?.hint.contains("chmod 600") == true, "others can read the file")
    chmod(server.scratch.path + "/password", 0o600)
    #expect(await SSHClients.obstacle(options) == nil)
    setenv("KELVIN_TEST_PASSWORD", "wrong", 1)
    options.password = .environment("KELVIN_TEST_PASSWORD")
    let refused = await SSHClients.obstacle(options)
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
    #expect(await SSHClients.obstacle(options)?.code == .unreachable(.refused))
    options.host = "no-such-host.invalid"
    #expect(await SSHClients.obstacle(options)?.code == .unreachable(.unknownHost))
    options.host = "127.0.0.1"
    // Listens, and says nothing.
    let mute = try MuteServer()
    options.port = mute.port
    let begin = MonotonicTime.now
    let failure = await SSHClients.obstacle(options, until: .after(seconds: 0.5))
    #expect(failure?.code == .timedOut)
    #expect(MonotonicTime.now - begin < 5_000_000_000)
    options.connectTimeout = 1
    #expect(await SSHClients.obstacle(options)?.code == .unreachable(.noAnswer))
  }
}
