import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

/// The simulated console as programs of others see it.
@Suite(.timeLimit(.minutes(3)), .serialized)
struct ConsoleClientTests {
  @Test(arguments: SimulatedConsole.Place.allCases)
  func socatTalksToIt(place: SimulatedConsole.Place) throws {
    guard let socat = Client.path("socat") else { return }
    let console = try SimulatedConsole(place)
    let far =
      switch place {
      case .terminal: "\(console.simulator.address),rawer"
      case .tcp, .telnet: "TCP:\(console.simulator.address)"
      case .socket: "UNIX-CONNECT:\(console.simulator.address)"
      }
    let client = try Client([socat, "-", far])
    // RFC 854: a carriage return alone is followed by a NUL.
    let end = place == .telnet ? "\r\0" : "\r"
    #expect(try client.asks("expr 6 '*' 7" + end, until: "\r\n42\r\n"))
  }

  @Test func pySerialTalksToIt() throws {
    guard let python = Client.path("python3") else { return }
    let console = try SimulatedConsole(.terminal) { $0.faults.line.delaySeconds = 0.05 }
    let script = """
      import serial, sys
      s = serial.Serial(sys.argv[1], 115200, timeout=10, exclusive=True)
      s.write(b"expr 6 '*' 7\\r")
      print('found', s.read_until(b'\\r\\n42\\r\\n').endswith(b'\\r\\n42\\r\\n'))
      """
    let client = try Client([python, "-c", script, console.simulator.address])
    let shown = try client.wire.read(through: Array("True\n".utf8), until: .after(seconds: 30))
    #expect(String(decoding: shown, as: UTF8.self).contains("found True"))
  }

  @Test(arguments: ["inetutils-telnet", "busybox"])
  func telnetClientsTalkToIt(program: String) throws {
    guard let telnet = Client.path(program) else { return }
    let console = try SimulatedConsole(.telnet)
    let command = program == "busybox" ? [telnet, "telnet"] : [telnet]
    let client = try Client(command + ["127.0.0.1", console.port])
    #expect(try client.asks("expr 6 '*' 7\r\n", until: "42"))
  }

  @Test func ser2netServesIt() throws {
    guard let ser2net = Client.path("ser2net"), let socat = Client.path("socat") else { return }
    let console = try SimulatedConsole(.terminal)
    let (descriptor, port) = try LoopbackPort.open()
    close(descriptor)
    let file = console.directory + "/ser2net.yaml"
    let text = """
      %YAML 1.1
      ---
      connection: &console
        accepter: tcp,127.0.0.1,\(port)
        connector: serialdev,\(console.simulator.address),115200n81,local
      """
    let stream = try #require(fopen(file, "w"))
    fputs(text, stream)
    fclose(stream)
    let server = try Client([ser2net, "-n", "-c", file])
    let client = try Client([socat, "-", "TCP:127.0.0.1:\(port),retry=50,interval=0.1"])
    #expect(try client.asks("expr 6 '*' 7\r", until: "\r\n42\r\n"))
    withExtendedLifetime(server) {}
  }

  /// As a console server with one line has it.
  @Test func aSecondHostIsToldThatTheLineIsTaken() throws {
    guard let socat = Client.path("socat") else { return }
    let console = try SimulatedConsole(.tcp)
    let first = try Client([socat, "-", "TCP:\(console.simulator.address)"])
    #expect(try first.asks("echo o''ne\r", until: "one"))
    let second = try Client([socat, "-", "TCP:\(console.simulator.address)"])
    let shown = try second.wire.read(count: 100, until: .after(seconds: 10))
    #expect(String(decoding: shown, as: UTF8.self) == "Port already in use\r\n")
    #expect(try first.asks("echo t''wo\r", until: "two"))
  }
}
