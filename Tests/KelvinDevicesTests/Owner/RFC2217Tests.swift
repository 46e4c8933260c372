import CLinux
import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinDevices

/// Servers of serial ports that this machine may have.
private enum SerialServers {
  static let ser2net: String = "/usr/sbin/ser2net"
  static let hasSer2net: Bool = access(ser2net, X_OK) == 0
  static let python: String = "/usr/bin/python3"
  static let hasPySerial: Bool =
    access(python, X_OK) == 0 && Program.run(python, ["-c", "import serial.rfc2217"]) == 0
}

/// Consoles by RFC 2217, before servers of others: ser2net, and pyserial's.
@Suite(.serialized, .timeLimit(.minutes(1))) struct RFC2217Tests {
  private let scratch: OwnerScratch
  private let owner: OwnerInThread
  private var limit: Deadline { .after(seconds: 20) }

  init() throws {
    scratch = try OwnerScratch()
    owner = try OwnerInThread(scratch.places)
  }

  /// A port that nobody listens on now.
  private func freePort() throws -> UInt16 {
    let listener = try WireListener.tcp()
    return listener.port
  }

  /// A server in front of a pseudo terminal; ended with the last reference.
  private final class Server {
    let port: UInt16
    let process: pid_t

    init(port: UInt16, _ program: String, _ arguments: [String]) throws {
      self.port = port
      process = Program.start(program, arguments)
      // A connection is the one sign that it listens; most servers take one client at a time, so this
      // one is gone again before the test begins.
      let deadline = Deadline.after(seconds: 20)
      while !deadline.hasPassed {
        if let socket = try? TCPSocket.connect(
          host: "127.0.0.1", port: port, until: deadline.limited(toSeconds: 1))
        {
          close(socket)
          return
        }
        _ = deadline.limited(toSeconds: 0.05).wait()
      }
      throw PlainFailure(.timeout, "\(program) does not listen")
    }

    deinit { Program.end(process) }
  }

  /// - Parameter accepter: `telnet(rfc2217)` serves the port, `telnet` and `tcp` its bytes.
  private func ser2net(_ terminal: String, accepter: String = "telnet(rfc2217)") throws -> Server {
    let port = try freePort()
    let path = scratch.path + "/ser2net.yaml"
    let text = """
      %YAML 1.1
      ---
      connection: &a
        accepter: \(accepter),tcp,127.0.0.1,\(port)
        connector: serialdev,\(terminal),9600n81,local
        options:
          kickolduser: true

      """
    let descriptor = kelvin_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Errno.current }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw Errno.current }
    return try Server(port: port, SerialServers.ser2net, ["-n", "-u", "-c", path])
  }

  /// Opened until it stays so: the server may still be busy with who looked whether it listens.
  private func open(
    _ client: Owner.Client, _ port: UInt16, baud: UInt32 = 115_200
  ) throws -> ConsoleAttachment {
    let address = ConsoleAddress.rfc2217(host: "127.0.0.1", port: port, baud: baud)
    _ = try client.open("a", at: address, until: limit)
    var attachment = try client.attach("a", from: .first, until: limit)
    #expect(try client.wait(&attachment) { $0 == .open } == .open)
    return attachment
  }

  @Test(
    .enabled(if: SerialServers.hasSer2net, "needs Debian's ser2net"),
    arguments: [9600, 230_400, 1_500_000])
  func everyByteGoesThroughSer2netAtTheWantedRate(baud: UInt32) throws {
    let pair = try TerminalPair()
    let server = try ser2net(pair.path)
    let client = try owner.client()
    var attachment = try open(client, server.port, baud: baud)
    #expect(kelvin_tty_rate(pair.wire.descriptor) == baud)
    let all = (0...255).map { UInt8($0) } + [13, 10, 13, 0, 255, 255, 240, 255, 250, 44, 107]
    try pair.wire.write(all)
    #expect(try client.read(&attachment, count: all.count) == all)
    try client.takeWriter("a", until: limit)
    try client.write(all, to: "a", until: limit)
    #expect(try pair.wire.read(count: all.count) == all)
  }

  @Test(.enabled(if: SerialServers.hasSer2net, "needs Debian's ser2net"))
  func breaksGoThroughAndMissingLinesAreNotWaitedForForEver() throws {
    let pair = try TerminalPair()
    let server = try ser2net(pair.path)
    let client = try owner.client()
    var attachment = try open(client, server.port)
    try client.takeWriter("a", until: limit)
    try client.sendBreak(to: "a", milliseconds: 20, until: limit)
    // A pseudo terminal has no DTR, and ser2net then says nothing.
    let begin = MonotonicTime.now
    #expect {
      try client.set(ControlLines(dtr: true), of: "a", until: limit)
    } throws: {
      guard let failure = $0 as? OwnerFailure else { return false }
      return failure.code == .unsupported && failure.message.contains("dtr on")
    }
    #expect(MonotonicTime.now - begin < 5_000_000_000)
    // The console itself does not suffer.
    try pair.wire.write(Array("still here".utf8))
    #expect(try client.read(&attachment, count: 10) == Array("still here".utf8))
    try client.write([1, 2, 255, 3], to: "a", until: limit)
    #expect(try pair.wire.read(count: 4) == [1, 2, 255, 3])
  }

  @Test(.enabled(if: SerialServers.hasSer2net, "needs Debian's ser2net"))
  func aServerThatRefusesThePortSaysSoByName() throws {
    let pair = try TerminalPair()
    let server = try ser2net(pair.path, accepter: "telnet")
    let client = try owner.client()
    let address = ConsoleAddress.rfc2217(host: "127.0.0.1", port: server.port, baud: 9600)
    _ = try client.open("a", at: address, until: limit)
    var attachment = try client.attach("a", until: limit)
    let state = try client.wait(&attachment) { $0.reason?.contains("COM-PORT") == true }
    #expect(state.reason?.contains("127.0.0.1:\(server.port)") == true, "\(state)")
    #expect(state.reason?.contains("refuses") == true, "\(state)")
  }

  @Test func aServerThatIsNoneIsGivenUp() throws {
    let listener = try WireListener.tcp()
    let client = try owner.client()
    let address = ConsoleAddress.rfc2217(host: "127.0.0.1", port: listener.port, baud: 9600)
    let begin = MonotonicTime.now
    let status = try client.open("a", at: address, until: limit)
    #expect(MonotonicTime.now - begin < 10_000_000_000)
    #expect(status.state.reason?.contains("no answer to COM-PORT") == true, "\(status.state)")
  }

  /// A server of the test's own, for what real ones do not do.
  private func serve(_ answer: [UInt8]) throws -> (ConsoleWire, Owner.Client, WireListener) {
    let listener = try WireListener.tcp()
    let client = try owner.client()
    let address = ConsoleAddress.rfc2217(host: "127.0.0.1", port: listener.port, baud: 115_200)
    let owner = owner
    let thread = try NamedThread("opener") {
      let opener = try? owner.client("opener")
      _ = try? opener?.open("a", at: address, until: .after(seconds: 20))
    }
    let wire = try listener.accept()
    _ = try wire.read(count: 15)
    try wire.write(answer)
    thread.join()
    return (wire, client, listener)
  }

  @Test func aServerWithAnotherRateIsNotTaken() throws {
    let (_, client, listener) = try serve(
      [255, 253, 44, 255, 250, 44, 101, 0, 0, 37, 128, 255, 240])
    let status = try #require(try client.list(until: limit).first)
    #expect(status.state.reason?.contains("the server set 9600 bits a second, not 115200") == true)
    withExtendedLifetime(listener) {}
  }

  @Test func whatTheConsoleSaysBeforeTheAgreementIsKept() throws {
    let (wire, client, listener) = try serve(
      Array("early".utf8) + [255, 253, 44, 255, 250, 44, 101, 0, 1, 194, 0, 255, 240]
        + Array(" late".utf8))
    var attachment = try client.attach("a", from: .first, until: limit)
    #expect(try client.read(&attachment, count: 10) == Array("early late".utf8))
    #expect(attachment.state == .open)
    // Suspended: what is written waits, and what is due is refused.
    try client.takeWriter("a", until: limit)
    try wire.write([255, 250, 44, 108, 255, 240, 33])
    #expect(try client.read(&attachment, count: 1) == [33])
    #expect {
      try client.write([1], to: "a", until: .after(seconds: 0.2))
    } throws: { ($0 as? OwnerFailure)?.code == .timeout }
    try wire.write([255, 250, 44, 109, 255, 240, 34])
    #expect(try client.read(&attachment, count: 1) == [34])
    try client.write([90], to: "a", until: limit)
    #expect(try wire.read(through: [90]).last == 90)
    withExtendedLifetime(listener) {}
  }

  /// pyserial's own server over its loop-back port, which has lines.
  private static let manager = """
    import socket, sys, threading, serial, serial.rfc2217
    port = serial.serial_for_url('loop://', timeout=0.05)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(('127.0.0.1', int(sys.argv[1])))
    listener.listen(5)
    class Out:
        def __init__(self, socket): self.socket, self.lock = socket, threading.Lock()
        def write(self, data):
            with self.lock: self.socket.sendall(data)
    while True:
        link, _ = listener.accept()
        out = Out(link)
        try: manager = serial.rfc2217.PortManager(port, out)
        except OSError: continue
        over = threading.Event()
        def read():
            while not over.is_set():
                data = port.read(port.in_waiting or 1)
                try:
                    if data: out.write(b''.join(manager.escape(data)))
                    manager.check_modem_lines()
                except OSError: return
        reader = threading.Thread(target=read)
        reader.start()
        try:
            while True:
                data = link.recv(1024)
                if not data: break
                port.write(b''.join(manager.filter(data)))
        except OSError: pass
        over.set()
        reader.join()
        link.close()
    """

  @Test(.enabled(if: SerialServers.hasPySerial, "needs Debian's python3-serial"))
  func pyserialsServerConfirmsTheLines() throws {
    let port = try freePort()
    let server = try Server(port: port, SerialServers.python, ["-c", Self.manager, "\(port)"])
    let client = try owner.client()
    var attachment = try open(client, server.port, baud: 57_600)
    try client.takeWriter("a", until: limit)
    for lines in [
      ControlLines(dtr: false), ControlLines(rts: false), ControlLines(dtr: true, rts: true),
      ControlLines(dtr: false, rts: true)
    ] {
      try client.set(lines, of: "a", until: limit)
      let seen = try #require(try client.list(until: limit).first).lines
      #expect(lines.agree(with: seen) == true, "\(lines): \(seen)")
    }
    try client.sendBreak(to: "a", milliseconds: 20, until: limit)
    // Lines change, so the server tells modem states all the while: none of it is data.
    let all = (0...255).map { UInt8($0) }
    try client.write(all, to: "a", until: limit)
    #expect(try client.read(&attachment, count: all.count) == all)
    withExtendedLifetime(server) {}
  }
}
