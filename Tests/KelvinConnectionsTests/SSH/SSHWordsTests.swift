import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// Messages, options and diagnoses of ssh, without a server.
@Suite struct SSHWordsTests {
  static let messages: [SSHMuxMessage] = [
    .hello(version: 4), .sessionOpened(request: 1, session: 2),
    .permissionDenied(request: 0, reason: "no"), .failure(request: 7, reason: ""),
    .exit(session: 3, status: 255)
  ]

  @Test(arguments: messages)
  func messagesAreReadBackAndNeverFromLess(message: SSHMuxMessage) {
    let bytes = message.bytes
    #expect(
      SSHMuxMessage.parse(bytes[...] + [1, 2, 3]) == .message(message, length: bytes.count))
    for count in 0..<bytes.count {
      #expect(SSHMuxMessage.parse(bytes.prefix(count)) == .incomplete)
    }
  }

  /// As OpenSSH 9.2 answered a request for a channel.
  @Test func readsWhatARealClientSent() {
    let bytes: [UInt8] = [
      0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0x0c, 0x80, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 2,
      0, 0, 0, 0x0c, 0x80, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 0xff
    ]
    #expect(SSHMuxMessage.parse(bytes[...]) == .message(.hello(version: 4), length: 12))
    #expect(
      SSHMuxMessage.parse(bytes[12...])
        == .message(.sessionOpened(request: 0, session: 2), length: 16))
    #expect(
      SSHMuxMessage.parse(bytes[28...]) == .message(.exit(session: 3, status: 255), length: 16))
  }

  @Test func hostileMessagesAreRefusedOrSkipped() {
    #expect(SSHMuxMessage.parse([0, 0, 0, 0]) == .malformed)
    #expect(SSHMuxMessage.parse([0xff, 0xff, 0xff, 0xff, 0]) == .malformed)
    #expect(
      SSHMuxMessage.parse([0, 0, 0, 12, 0x80, 0, 0, 3, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])
        == .malformed)
    #expect(
      SSHMuxMessage.parse([0, 0, 0, 4, 0x80, 0, 0, 0x77])
        == .message(.other(type: 0x8000_0077), length: 8))
    var generator = SeededGenerator(seed: 7)
    for message in Self.messages {
      for index in message.bytes.indices {
        var bytes = message.bytes
        bytes[index] ^= UInt8.random(in: 1...255, using: &generator)
        _ = SSHMuxMessage.parse(bytes[...])
      }
    }
  }

  @Test func noWordIsASecretAndNoOptionIsAnothers() {
    var options = SSHOptions(host: "-oProxyCommand=x", port: 2222, user: "root", key: "/k%h")
    options.password = .environment("SECRET")
    options.hostKey = .file("/a b/%known")
    let words = options.arguments(socket: "/run/s")
    #expect(words.suffix(2) == ["--", "-oProxyCommand=x"])
    #expect(words.contains("/k%%h"))
    #expect(words.contains("UserKnownHostsFile=\"/a b/%%known\""))
    #expect(!words.contains { $0.contains("SECRET") })
    #expect(words.contains("BatchMode=no"))
    #expect(SSHOptions(host: "h").arguments(socket: "/s").contains("BatchMode=yes"))
    #expect(SSHOptions(host: "fe80::1", port: 22, user: "u").address == "u@[fe80::1]")
  }

  @Test(
    arguments: [
      (
        "@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nOffending ED25519 key in /k:3\n"
          + "  remove with:\n  ssh-keygen -f \"/k\" -R \"h\"\nHost key verification failed.\r\n",
        .hostKeyChanged
      ),
      (
        "No ED25519 host key is known for h and you have requested strict checking.",
        .hostKeyUnknown
      ),
      ("Host key verification failed.", .hostKeyUnknown),
      ("root@h: Permission denied (publickey,password).", .notAdmitted),
      (
        "Received disconnect from 1.2.3.4 port 22:2: Too many authentication failures", .notAdmitted
      ),
      ("ssh: Could not resolve hostname h: Name or service not known", .unknownHost),
      ("ssh: connect to host h port 22: Connection refused", .refused),
      ("ssh: connect to host h port 22: No route to host", .noAnswer),
      ("ssh: connect to host h port 22: Connection timed out", .noAnswer),
      (
        "Unable to negotiate with h port 22: no matching host key type found. Their offer: ssh-rsa",
        .incompatible
      ),
      ("kex_exchange_identification: Connection closed by remote host", .closed), ("", .closed)
    ] as [(String, ConnectionFailure.Obstacle)])
  func namesWhatStandsInTheWay(said: String, obstacle: ConnectionFailure.Obstacle) {
    let failure = SSHDiagnosis.failure(said, name: "ssh h", options: SSHOptions(host: "h"))
    #expect(failure.code == .unreachable(obstacle))
    #expect(failure.message.hasPrefix("ssh h: "))
    #expect(failure.hint.isEmpty == said.isEmpty)
  }

  @Test(
    arguments: [
      ("env:HOME", .environment("HOME")), ("file:/a b", .file("/a b")), ("secret", nil),
      ("env:", nil), ("env:A-B", nil), ("env:$(id)", nil), ("file:", nil), ("", nil)
    ] as [(String, PasswordSource?)])
  func aPasswordIsNamedNeverWritten(text: String, source: PasswordSource?) {
    #expect((try? PasswordSource(text)) == source)
  }

  @Test func benchFilesChooseConnections() throws {
    func make(_ driver: String, _ options: [String: Value]) throws -> any Connection {
      try Connections.make(
        DriverChoice(driver, options: options, location: SourceLocation(file: "bench.yaml")))
    }
    #expect(try make("local", [:]) is LocalConnection)
    let ssh = try make("ssh", ["host": "h", "port": 2222, "user": "root"])
    #expect(ssh.name == "ssh root@h:2222")
    #expect(!ssh.capabilities.isThisMachine)
    for options: [String: Value] in [
      ["host": ""], ["host": "a b"], ["host": "h", "host-key": "maybe"],
      ["host": "h", "password-from": "secret"], ["host": "h", "host-key": "file:"]
    ] {
      #expect(throws: PlainFailure.self) { try make("ssh", options) }
    }
    #expect(throws: PlainFailure.self) { try make("fastboot", [:]) }
  }
}
