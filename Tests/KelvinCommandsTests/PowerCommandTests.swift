import KelvinModel
import KelvinSimulators
import KelvinTargets
import Testing

@testable import KelvinCommands

/// `kelvin power` without its files: a bench as a value, a plug on the loopback interface.
@Suite(.timeLimit(.minutes(1)))
struct PowerCommandTests {
  private let plug = SimulatedPlug(.shelly2)
  private let server: DeviceServer
  private let bench: Bench

  init() throws {
    let server = try DeviceServer(tcp: plug)
    self.server = server
    let location = SourceLocation(file: "bench.yaml", line: 3)
    let choice = { (output: Value) in
      DriverChoice(
        "shelly",
        options: [
          "host": "127.0.0.1", "port": .integer(Int64(server.address) ?? 0), "output": output
        ], location: location)
    }
    bench = Bench(boards: [
      BoardEntry(
        name: "rock", profile: "rock-5b", power: choice(0), reset: choice(1), location: location),
      BoardEntry(name: "bare", profile: "rock-5b", location: location)
    ])
  }

  private func carryOut(
    _ action: PowerAction, _ kind: Declaration.Kind = .power, board: String = "rock"
  ) async throws -> PowerRequest.Report {
    try await PowerRequest(action: action, board: board, kind: kind).carryOut(
      on: bench, until: .after(seconds: 20)
    ).report
  }

  @Test func switchesAndTells() async throws {
    #expect(try await carryOut(.state).text == "rock: off (commanded)")
    #expect(try await carryOut(.on).text == "rock: on (commanded)")
    #expect(plug.outputs == [true, false])
    #expect(try await carryOut(.cycle(offSeconds: 0.01)).text == "rock: on (commanded)")
    #expect(plug.requests.filter { $0.contains("Switch.Set") }.count == 3)
    plug.watts = 3
    #expect(
      try await carryOut(.state).value.json
        == #"{"board":"rock","line":"power","source":"measured","state":"on"}"#)
    plug.watts = 0
    #expect(try await carryOut(.off).text == "rock: off (commanded)")
    server.stop()
  }

  @Test func switchesTheResetLine() async throws {
    #expect(try await carryOut(.on, .reset).text == "rock: out of reset (commanded)")
    #expect(try await carryOut(.off, .reset).text == "rock: held in reset (commanded)")
    #expect(plug.outputs == [false, false])
    server.stop()
  }

  @Test func namesBoardsThatExist() async throws {
    await #expect(throws: PlainFailure.self) { try await carryOut(.on, board: "rokc") }
    do {
      _ = try await carryOut(.on, board: "rokc")
    } catch {
      #expect("\(error)" == "'rokc': the bench has no such board; did you mean 'rock'?")
    }
    do {
      _ = try await carryOut(.on, board: "bare")
      Issue.record("a board without a switch was switched")
    } catch {
      #expect("\(error)".hasPrefix("bench.yaml:3: board 'bare' has no 'power'"))
    }
    server.stop()
  }

  @Test func switchesByABenchFile() async throws {
    let scratch = try Scratch()
    try scratch.write(
      "bench.yaml",
      """
      boards:
        rock:
          profile: generic-linux
          connection: {local: {}}
          power: {shelly: {host: 127.0.0.1, port: \(server.address), output: 1}}
      """)
    var ran = try await KelvinBinary.run(["power", "on", "rock"], in: scratch.path)
    #expect(ran.code == 0, "\(ran.both)")
    #expect(ran.output == "rock: on (commanded)\n")
    #expect(plug.outputs == [false, true])
    ran = try await KelvinBinary.run(
      ["power", "state", "rock", "--format", "json"], in: scratch.path)
    #expect(ran.output.contains("\"state\":\"on\""))
    ran = try await KelvinBinary.run(["power", "off", "rock", "--reset"], in: scratch.path)
    #expect(ran.code == 2)
    #expect(ran.errors.contains("board 'rock' has no 'reset'"))
    plug.fault = .cut
    ran = try await KelvinBinary.run(["power", "off", "rock"], in: scratch.path)
    #expect(ran.code == 3)
    #expect(ran.errors.contains("power of 'rock' (shelly): "))
    server.stop()
  }

  @Test(arguments: [("5 s", 5.0), ("200ms", 0.2), ("3", 3)])
  func readsTimes(text: String, seconds: Double) throws {
    #expect(try DurationText.seconds(text, "--timeout") == seconds)
  }

  @Test(arguments: ["-1 s", "5 V", "soon", ""]) func refusesOtherTimes(text: String) {
    #expect(throws: (any Error).self) { try DurationText.seconds(text, "--timeout") }
  }
}
