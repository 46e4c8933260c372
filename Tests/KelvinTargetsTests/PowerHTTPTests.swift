import Glibc
import KelvinConnections
import KelvinModel
import KelvinSimulators
import KelvinTargets
import Testing

/// Plugs and PDUs over HTTP: simulated ones on the loopback interface.
@Suite(.timeLimit(.minutes(1)))
struct PowerHTTPTests {
  typealias Plug = SimulatedPlug

  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let model: Plug.Model
    let type: any PowerSwitch.Type
    /// Selects the simulated plug's output at position 1.
    let options: [String: Value]
    let tellsState: Bool
  }

  static let cases = [
    Case(
      testDescription: "tasmota", model: .tasmota(password: nil), type: TasmotaSwitch.self,
      options: ["output": 2], tellsState: true),
    Case(
      testDescription: "shelly 1", model: .shelly1, type: ShellySwitch.self,
      options: ["output": 1], tellsState: true),
    Case(
      testDescription: "shelly 2", model: .shelly2, type: ShellySwitch.self,
      options: ["output": 1], tellsState: true),
    Case(
      testDescription: "pdudaemon", model: .pdudaemon, type: PDUDaemonSwitch.self,
      options: ["pdu": "pdu1", "outlet": "2"], tellsState: false),
    Case(
      testDescription: "http", model: .plain(token: nil), type: HTTPSwitch.self, options: [:],
      tellsState: true)
  ]

  func make(_ test: Case) throws -> (Plug, DeviceServer, any PowerSwitch) {
    let plug = Plug(test.model)
    let server = try DeviceServer(tcp: plug)
    var options = test.options
    if test.type == HTTPSwitch.self {
      options.merge(Self.template("http://127.0.0.1:\(server.address)/outlet/1")) { $1 }
    } else {
      options["host"] = "127.0.0.1"
      options["port"] = .integer(Int64(server.address) ?? 0)
    }
    return (plug, server, try makeSwitch(test.type, options))
  }

  static func template(_ url: String) -> [String: Value] {
    [
      "on": ["url": .text(url), "method": "PUT", "body": #"{"power":"on"}"#],
      "off": ["url": .text(url), "method": "PUT", "body": #"{"power":"off"}"#],
      "state": ["url": .text(url), "json": "outlets.0.power"]
    ]
  }

  @Test(arguments: cases) func switchesItsOutputAndNoOther(test: Case) async throws {
    let (plug, server, power) = try make(test)
    #expect(
      try await power.state(until: soon) == PowerReading(test.tellsState ? .off : nil, .commanded))
    try await power.set(.on, until: soon)
    #expect(plug.outputs == [false, true])
    #expect(try await power.state(until: soon) == PowerReading(.on, .commanded))
    try await power.cycle(offSeconds: 0.01, until: soon)
    #expect(plug.outputs == [false, true])
    try await power.set(.off, until: soon)
    #expect(plug.outputs == [false, false])
    server.stop()
  }

  @Test(arguments: cases.filter(\.tellsState)) func noticesAnOutputThatDoesNotFollow(
    test: Case
  ) async throws {
    let (plug, server, power) = try make(test)
    plug.fault = .acknowledgesOnly
    let failure = await failure { try await power.set(.on, until: soon) }
    #expect(failure?.kind == .infrastructure)
    #expect(failure?.hint.isEmpty == false)
    server.stop()
  }

  @Test(arguments: cases) func waitsForALateAnswer(test: Case) async throws {
    let (plug, server, power) = try make(test)
    plug.fault = .late(seconds: 0.1)
    try await power.set(.on, until: soon)
    #expect(plug.outputs == [false, true])
    server.stop()
  }

  @Test(arguments: cases, [DeviceFault.garbage, .otherDevice, .half, .cut, .silent])
  func refusesWhatIsNoAnswer(test: Case, fault: DeviceFault) async throws {
    let (plug, server, power) = try make(test)
    plug.fault = fault
    var failure: PowerFailure?
    let seconds = await seconds {
      failure = await KelvinTargetsTests.failure {
        try await power.set(.on, until: .after(seconds: 0.5))
      }
    }
    #expect(failure?.message.contains("127.0.0.1:\(server.address)") == true, "\(test) \(fault)")
    #expect(failure?.kind == (fault == .half || fault == .silent ? .timeout : .infrastructure))
    #expect(seconds < 3)
    server.stop()
  }

  @Test(arguments: cases) func saysThatNothingListens(test: Case) async throws {
    let (_, server, power) = try make(test)
    server.stop()
    let failure = await failure { try await power.set(.on, until: soon) }
    #expect(failure?.hint.hasPrefix("nothing listens there") == true)
  }

  @Test func asksForTheOutputsThatExist() async throws {
    let plug = Plug(.shelly2)
    let server = try DeviceServer(tcp: plug)
    let power = try makeSwitch(
      ShellySwitch.self,
      ["host": "localhost", "port": .integer(Int64(server.address) ?? 0), "output": 9])
    let failure = await failure { try await power.set(.on, until: soon) }
    #expect(failure?.message.hasSuffix("/rpc/Switch.Set: answered 404") == true)
    #expect(failure?.evidence.contains("not found") == true)
    server.stop()
  }

  @Test func measuresByThePlugsOwnMeter() async throws {
    let (plug, server, power) = try make(Self.cases[2])
    try await power.set(.on, until: soon)
    plug.watts = 4.2
    #expect(try await power.state(until: soon) == PowerReading(.on, .measured))
    // Switched off, and power flows all the same: a welded contact.
    try await power.set(.off, until: soon)
    #expect(try await power.state(until: soon) == PowerReading(.on, .measured))
    plug.watts = 0.3
    #expect(try await power.state(until: soon) == PowerReading(.off, .commanded))
    server.stop()
  }

  @Test func sendsPasswordsFromFilesAndShowsThemNowhere() async throws {
    let directory = try Directory()
    let file = try directory.write("password", "s&c r=t\n", mode: 0o600)
    let plug = Plug(.tasmota(password: "s&c r=t"))
    let server = try DeviceServer(tcp: plug)
    var options: [String: Value] = [
      "host": "127.0.0.1", "port": .integer(Int64(server.address) ?? 0),
      "password-from": .text(file)
    ]
    let power = try makeSwitch(TasmotaSwitch.self, options)
    try await power.set(.on, until: soon)
    #expect(plug.outputs[0])
    for fault in [DeviceFault.garbage, .otherDevice, .cut, .half] {
      plug.fault = fault
      let failure = await failure { _ = try await power.state(until: .after(seconds: 0.3)) }
      #expect(failure?.description.contains("r=t") == false)
      #expect(failure?.description.contains("r%3Dt") == false)
    }
    plug.fault = .none
    chmod(file, 0o644)
    var refused = await failure { _ = try await power.state(until: soon) }
    #expect(refused?.hint == "run 'chmod 600 \(file)'")
    options["password-from"] = "env:KELVIN_NO_SUCH_SECRET"
    let other = try makeSwitch(TasmotaSwitch.self, options)
    refused = await failure { _ = try await other.state(until: soon) }
    #expect(refused?.message == "the environment has no 'KELVIN_NO_SUCH_SECRET'")
    options["password-from"] = nil
    let open = try makeSwitch(TasmotaSwitch.self, options)
    refused = await failure { _ = try await open.state(until: soon) }
    #expect(refused?.kind == .configuration)
    #expect(refused?.hint.contains("'password-from'") == true)
    server.stop()
  }

  @Test func sendsSecretHeadersAndNoOthersFromTheBenchFile() async throws {
    let directory = try Directory()
    let token = try directory.write("token", "t0ken", mode: 0o600)
    let plug = Plug(.plain(token: "t0ken"))
    let server = try DeviceServer(tcp: plug)
    var options = Self.template("http://127.0.0.1:\(server.address)/outlet/0")
    options["headers-from"] = ["X-Token": .text(token)]
    try await makeSwitch(HTTPSwitch.self, options).set(.on, until: soon)
    #expect(plug.outputs == [true, false])
    options["headers-from"] = nil
    options["headers"] = ["Authorization": "Bearer t0ken"]
    let refused = await failure { _ = try makeSwitch(HTTPSwitch.self, options) }
    #expect(refused?.kind == .configuration)
    #expect(refused?.description.contains("t0ken") == false)
    server.stop()
  }

  @Test(arguments: [
    ["on": "ftp://x/", "off": "http://x/"], ["on": "http://", "off": "http://x/"],
    ["on": "http://u:secret@x/", "off": "http://x/"], ["on": "http://x:0/", "off": "http://x/"],
    ["on": "http://x:99999/", "off": "http://x/"], ["on": "http://x/a b", "off": "http://x/"],
    ["on": "http://x/\r\nX: y", "off": "http://x/"], ["on": "http://[::1/", "off": "http://x/"],
    ["on": "http://x/"]
  ])
  func refusesTemplatesThatAreWrong(urls: [String: String]) async {
    let options = urls.mapValues { Value.map(["url": .text($0)]) }
    let refused = await failure { _ = try makeSwitch(HTTPSwitch.self, options) }
    #expect(refused?.kind == .configuration)
    #expect(refused?.description.contains("secret") == false)
  }

  @Test func refusesAStateThatTellsNothing() async {
    let wrong: [[String: Value]] = [
      ["url": "http://x/"], ["url": "http://x/", "on": ["yes"]],
      ["url": "http://x/", "json": "a", "on": ["1"], "off": ["1"]]
    ]
    for state in wrong {
      let refused = await failure {
        _ = try makeSwitch(
          HTTPSwitch.self,
          ["on": ["url": "http://x/"], "off": ["url": "http://x/"], "state": .map(state)])
      }
      #expect(refused?.kind == .configuration, "\(state)")
    }
  }
}
