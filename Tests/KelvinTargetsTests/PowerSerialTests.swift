import Glibc
import KelvinDevices
import KelvinModel
import KelvinSimulators
import KelvinSystem
import KelvinTargets
import Testing

/// Relay boards behind serial lines: real pseudo terminals, simulated boards at their other end.
@Suite(.timeLimit(.minutes(1)))
struct PowerSerialTests {
  typealias Board = SimulatedRelayBoard

  static let models: [(Board.Model, any PowerSwitch.Type)] = [
    (.lcus, LCUSSwitch.self), (.devantech(id: 8), DevantechSwitch.self)
  ]

  func make(
    _ model: Board.Model, _ type: any PowerSwitch.Type, relays: Int = 4,
    _ options: [String: Value] = [:]
  ) throws -> (Board, DeviceServer, any PowerSwitch) {
    let board = Board(model, relays: relays)
    let server = try DeviceServer(terminal: board)
    var options = options
    options["path"] = .text(server.address)
    return (board, server, try makeSwitch(type, options))
  }

  @Test(arguments: models)
  func switchesItsRelayAndNoOther(model: Board.Model, type: any PowerSwitch.Type) async throws {
    let (board, server, power) = try make(model, type, ["relay": 3])
    #expect(try await power.state(until: soon) == PowerReading(.off, .commanded))
    try await power.set(.on, until: soon)
    #expect(board.relays == [false, false, true, false])
    #expect(try await power.state(until: soon) == PowerReading(.on, .commanded))
    try await power.cycle(offSeconds: 0.01, until: soon)
    #expect(board.relays == [false, false, true, false])
    try await power.set(.off, until: soon)
    #expect(board.relays == [false, false, false, false])
    server.stop()
  }

  @Test(arguments: models)
  func feedsThroughTheNormallyClosedContact(
    model: Board.Model, type: any PowerSwitch.Type
  ) async throws {
    let (board, server, power) = try make(model, type, ["normally-closed": true])
    #expect(try await power.state(until: soon).state == .on)
    try await power.set(.off, until: soon)
    #expect(board.relays[0])
    #expect(try await power.state(until: soon).state == .off)
    server.stop()
  }

  @Test func sendsWhatTheBoardsAreDocumentedToTake() async throws {
    let (lcus, first, one) = try make(.lcus, LCUSSwitch.self)
    try await one.set(.on, until: soon)
    try await one.set(.off, until: soon)
    // As printed by sellers: A0 01 01 A2 switches on, A0 01 00 A1 off.
    #expect(
      lcus.requests == [[0xA0, 1, 1, 0xA2], [0xFF], [0xA0, 1, 0, 0xA1], [0xFF]])
    first.stop()
    let (devantech, second, two) = try make(
      .devantech(id: 9), DevantechSwitch.self, relays: 8, ["relay": 8])
    try await two.set(.on, until: soon)
    try await two.set(.off, until: soon)
    // As in the data sheet: 6C turns relay 8 on, 76 off.
    #expect(devantech.requests == [[0x5A], [0x6C], [0x5B], [0x5A], [0x76], [0x5B]])
    second.stop()
  }

  @Test func remembersWhatASilentBoardWasTold() async throws {
    let (board, server, power) = try make(.lcusSilent, LCUSSwitch.self, relays: 1)
    #expect(try await power.state(until: soon) == PowerReading(nil, .commanded))
    try await power.set(.on, until: soon)
    #expect(board.relays == [true])
    #expect(try await power.state(until: soon) == PowerReading(.on, .commanded))
    server.stop()
  }

  @Test(arguments: models)
  func noticesARelayThatDoesNotFollow(
    model: Board.Model, type: any PowerSwitch.Type
  ) async throws {
    let (board, server, power) = try make(model, type)
    board.fault = .acknowledgesOnly
    let failure = await failure { try await power.set(.on, until: soon) }
    #expect(failure?.kind == .infrastructure)
    #expect(failure?.message.contains("relay 1 was switched on and did not follow") == true)
    server.stop()
  }

  @Test(arguments: models)
  func waitsForALateAnswer(model: Board.Model, type: any PowerSwitch.Type) async throws {
    let (board, server, power) = try make(model, type)
    board.fault = .late(seconds: 0.1)
    try await power.set(.on, until: soon)
    #expect(board.relays[0])
    server.stop()
  }

  @Test(arguments: models, [DeviceFault.garbage, .otherDevice, .half, .cut])
  func refusesWhatIsNoAnswer(
    _ pair: (model: Board.Model, type: any PowerSwitch.Type), fault: DeviceFault
  ) async throws {
    let (board, server, power) = try make(pair.model, pair.type, ["relay": 4])
    board.fault = fault
    var failure: PowerFailure?
    let seconds = await seconds {
      failure = await KelvinTargetsTests.failure {
        _ = try await power.state(until: .after(seconds: 5))
      }
    }
    #expect(failure?.message.hasPrefix(server.address) == true, "\(failure?.description ?? "none")")
    #expect(seconds < 4)
    server.stop()
  }

  @Test func saysWhenADevantechModuleIsSilent() async throws {
    let (board, server, power) = try make(.devantech(id: 8), DevantechSwitch.self)
    board.fault = .silent
    let failure = await failure { try await power.set(.on, until: soon) }
    #expect(failure?.kind == .timeout)
    #expect(board.relays == [false, false, false, false])
    server.stop()
  }

  @Test func refusesARelayThatTheModuleLacks() async throws {
    let (board, server, power) = try make(.devantech(id: 10), DevantechSwitch.self, ["relay": 3])
    let failure = await failure { try await power.set(.on, until: soon) }
    #expect(failure?.kind == .configuration)
    #expect(failure?.message.contains("a USB-RLY02 has 2 relays, not 3") == true)
    #expect(!board.requests.contains([0x67]))
    server.stop()
  }

  @Test func saysThatAnotherProgramHasThePort() async throws {
    let (_, server, power) = try make(.lcus, LCUSSwitch.self)
    let other = open(server.address, O_RDWR | O_NOCTTY | O_CLOEXEC)
    defer { close(other) }
    #expect(flock(other, LOCK_EX | LOCK_NB) == 0)
    let failure = await failure { try await power.set(.on, until: .after(seconds: 0.2)) }
    #expect(failure?.message == "\(server.address): another program uses it")
    server.stop()
  }

  @Test func waitsForAnotherRunThatSwitchesItsOwnRelay() async throws {
    let (board, server, power) = try make(.lcus, LCUSSwitch.self, ["relay": 2])
    let other = open(server.address, O_RDWR | O_NOCTTY | O_CLOEXEC)
    #expect(flock(other, LOCK_EX | LOCK_NB) == 0)
    let releaser = try NamedThread("releaser") {
      _ = Deadline.after(seconds: 0.2).wait()
      close(other)
    }
    try await power.set(.on, until: soon)
    releaser.join()
    #expect(board.relays == [false, true, false, false])
    server.stop()
  }

  @Test(arguments: [("/dev/ttyKELVIN9", "plugged in"), ("/dev/null", "no serial port")])
  func saysWhatIsWrongWithAPath(path: String, what: String) async throws {
    let power = try makeSwitch(LCUSSwitch.self, ["path": .text(path)])
    let failure = await failure { try await power.set(.on, until: soon) }
    #expect(failure?.kind == .configuration)
    #expect(failure?.description.contains(what) == true)
  }

  @Test func findsTheDeviceByMatchEachTime() async throws {
    let board = SimulatedRelayBoard(.lcus, relays: 2)
    let server = try DeviceServer(terminal: board)
    let host = PowerHost(resolve: { (match) throws(PowerFailure) in
      guard match.description == "{ID_SERIAL_SHORT: 0001}" else {
        throw PowerFailure(.configuration, "\(match): no such device")
      }
      return server.address
    })
    let options: [String: Value] = ["match": ["ID_SERIAL_SHORT": "0001"]]
    let power = try makeSwitch(LCUSSwitch.self, options, host: host)
    try await power.set(.on, until: soon)
    #expect(board.relays == [true, false])
    let alone = try makeSwitch(
      LCUSSwitch.self, options, host: PowerHost(resolve: PowerHost.noMatcher))
    let failure = await failure { try await alone.set(.on, until: soon) }
    #expect(failure?.hint == "name it by 'path'")
    server.stop()
  }

  @Test func saysThatNoAdapterMatches() async throws {
    let power = try makeSwitch(
      LCUSSwitch.self, ["match": ["ID_SERIAL_SHORT": "kelvin-no-such-adapter"]])
    let failure = await failure { try await power.set(.on, until: soon) }
    #expect(failure?.message.contains("kelvin-no-such-adapter") == true)
    #expect(failure?.kind == .infrastructure)
  }

  @Test(arguments: [[:], ["path": "/dev/x", "match": ["a": "b"]]] as [[String: Value]])
  func wantsOneWayToNameThePort(options: [String: Value]) async {
    for type in [LCUSSwitch.self, DevantechSwitch.self, SerialLineSwitch.self]
      as [any PowerSwitch.Type]
    {
      let failure = await failure { _ = try makeSwitch(type, options) }
      #expect(failure?.kind == .configuration)
    }
  }

  @Test func readsListsOfStatesInAllTheirSpellings() {
    let states = { (text: String) in LCUSSwitch.state(of: 2, in: Array(text.utf8)) }
    #expect(states("CH1: ON \r\nCH2: OFF\r\n") == false)
    #expect(states("CH1:OFFCH2:ON") == true)
    #expect(states("CH1: ON\r\nCH2: O") == nil)
    #expect(states("CH12: ON\r\n") == nil)
    #expect(states("") == nil)
  }

  @Test func refusesATerminalWithoutModemLines() async throws {
    let (_, server, power) = try make(.lcus, SerialLineSwitch.self)
    #expect(try await power.state(until: soon) == PowerReading(nil, .commanded))
    let failure = await failure { try await power.set(.on, until: soon) }
    #expect(failure?.kind == .configuration)
    #expect(failure?.message == "\(server.address): this port has no DTR line")
    server.stop()
  }

  @Test func theOwnerRefusesATerminalWithoutModemLinesToo() async throws {
    let owner = try LineOwner()
    let server = try DeviceServer(terminal: SimulatedRelayBoard(.lcus, relays: 1))
    let power = try makeSwitch(
      SerialLineSwitch.self, ["path": .text(server.address), "line": "rts"], host: owner.host)
    // Nobody holds it, so nobody knows, and asking takes nothing.
    #expect(try await power.state(until: soon) == PowerReading(nil, .commanded))
    #expect(try owner.client().list(until: soon).isEmpty)
    let failure = await failure { try await power.set(.on, until: soon) }
    #expect(failure?.kind == .configuration)
    #expect(failure?.message.contains("has no such lines") == true, "\(failure?.message ?? "")")
    #expect(!power.holdsLine && owner.warnings.isEmpty)
    server.stop()
  }

  @Test func withoutAnOwnerTheSwitchTriesItself() async throws {
    let owner = try LineOwner(starts: false)
    let server = try DeviceServer(terminal: SimulatedRelayBoard(.lcus, relays: 1))
    let power = try makeSwitch(
      SerialLineSwitch.self, ["path": .text(server.address)], host: owner.host)
    let failure = await failure { try await power.set(.on, until: soon) }
    #expect(failure?.message == "\(server.address): this port has no DTR line")
    #expect(owner.warnings.count == 1)
    server.stop()
  }
}
