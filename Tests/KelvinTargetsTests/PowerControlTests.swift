import KelvinModel
import KelvinSimulators
import KelvinSystem
import KelvinTargets
import Synchronization
import Testing

/// A board's switch by the board's name, and the meter that confirms it.
@Suite(.timeLimit(.minutes(1)))
struct PowerControlTests {
  let board = SimulatedRelayBoard(.lcus, relays: 1)

  func make(
    confirm: PowerControl.Confirmation? = nil
  ) throws -> (DeviceServer, PowerControl) {
    let server = try DeviceServer(terminal: board)
    return (
      server,
      try PowerControl(
        KelvinTargetsTests.board("lcus", ["path": .text(server.address)]), confirm: confirm)
    )
  }

  @Test func tellsTheStateAfterSwitching() async throws {
    let (server, control) = try make()
    #expect(try await control.set(.on, until: soon) == PowerReading(.on, .commanded))
    #expect(try await control.cycle(offSeconds: 0, until: soon) == PowerReading(.on, .commanded))
    #expect(try await control.set(.off, until: soon) == PowerReading(.off, .commanded))
    #expect(try await control.state(until: soon) == PowerReading(.off, .commanded))
    server.stop()
  }

  @Test func saysWhoseSwitchFailed() async throws {
    let (server, control) = try make()
    server.stop()
    let failure = await failure { _ = try await control.set(.on, until: soon) }
    #expect(failure?.message.hasPrefix("power of 'rock' (lcus): /dev/pts/") == true)
  }

  @Test func asksTheMeterAfterEachSwitching() async throws {
    let asked = Mutex<[PowerState]>([])
    let (server, control) = try make { (entry, wanted, _) throws(PowerFailure) in
      #expect(entry.name == "rock")
      asked.withLock { $0.append(wanted) }
      return PowerReading(wanted, .measured)
    }
    #expect(try await control.set(.on, until: soon) == PowerReading(.on, .measured))
    #expect(try await control.set(.off, until: soon) == PowerReading(.off, .measured))
    #expect(try await control.state(until: soon) == PowerReading(.off, .measured))
    #expect(asked.withLock { $0 } == [.on, .off, .off])
    server.stop()
  }

  @Test func believesTheMeterMoreThanTheSwitch() async throws {
    // The relay clicks and answers, and its contact is welded.
    let (server, control) = try make { (_, _, _) throws(PowerFailure) in
      PowerReading(.on, .measured)
    }
    let failure = await failure { _ = try await control.set(.off, until: soon) }
    #expect(
      failure?.message == "power of 'rock' (lcus): switched off, but the meter says on")
    #expect(try await control.state(until: soon) == PowerReading(.on, .measured))
    server.stop()
  }

  @Test(arguments: [Declaration.Kind.power, .reset])
  func saysThatABoardStaysOff(kind: Declaration.Kind) async throws {
    let choice = DriverChoice(
      "command", options: ["on": ["false"], "off": ["true"]], location: benchLine)
    let entry = BoardEntry(
      name: "rock", profile: "x", power: choice, reset: choice, location: benchLine)
    let control = try PowerControl(entry, kind)
    let remedy =
      kind == .power
      ? "the board is off: 'kelvin power on rock'"
      : "the board is held in reset: 'kelvin power on rock --reset'"
    let interrupt = Interrupt()
    var found = await failure {
      async let cycle = control.cycle(
        offSeconds: 60, until: .after(seconds: 60, interrupt: interrupt))
      _ = Deadline.after(seconds: 0.3).wait()
      interrupt.raise()
      _ = try await cycle
    }
    #expect(found?.message.hasSuffix("stopped after it was switched off") == true)
    #expect(found?.hint == remedy)
    found = await failure { _ = try await control.cycle(offSeconds: 60, until: .after(seconds: 1)) }
    #expect(found?.kind == .timeout && found?.hint == remedy)
    found = await failure { _ = try await control.cycle(offSeconds: 0, until: soon) }
    #expect(found?.message.contains("switched off, but not on again: false exited with 1") == true)
    #expect(found?.hint.hasSuffix(remedy) == true)
  }

  @Test func aCycleStaysOffUntilTheMeterSaysSo() async throws {
    let asked = Mutex<[PowerState]>([])
    let (server, control) = try make()
    _ = try await control.set(.on, until: soon)
    let confirmed = control.confirmed { [board] (_, wanted, _) throws(PowerFailure) in
      #expect(board.relays == [wanted == .on])
      asked.withLock { $0.append(wanted) }
      return wanted == .off ? PowerReading(.off, .measured) : nil
    }
    #expect(
      try await confirmed.cycle(offSeconds: 0, until: soon) == PowerReading(.on, .commanded))
    #expect(asked.withLock { $0 } == [.off, .on])
    server.stop()
  }

  @Test func aBoardThatIsNotDischargedIsSwitchedOnAllTheSame() async throws {
    let (server, control) = try make { (_, _, _) throws(PowerFailure) in
      throw PowerFailure(.infrastructure, "still at 2 V")
    }
    let failure = await failure { _ = try await control.cycle(offSeconds: 0, until: soon) }
    #expect(failure?.message == "power of 'rock' (lcus): still at 2 V")
    #expect(failure?.leavesOff == false && failure?.hint == "")
    #expect(board.relays == [true])
    server.stop()
  }

  @Test func goesOnWithoutAMeter() async throws {
    let (server, control) = try make { (_, _, _) throws(PowerFailure) in nil }
    #expect(try await control.set(.on, until: soon) == PowerReading(.on, .commanded))
    server.stop()
  }

  @Test func saysWhatIsWrongWithAnEntry() async throws {
    let none = BoardEntry(name: "rock", profile: "x", location: benchLine)
    var found = await failure { _ = try PowerControl(none) }
    #expect(found?.message == "bench.yaml:7: board 'rock' has no 'power'")
    found = await failure { _ = try PowerControl(none, .reset) }
    #expect(found?.message == "bench.yaml:7: board 'rock' has no 'reset'")
    found = await failure { _ = try PowerControl(KelvinTargetsTests.board("lcsu", [:])) }
    #expect(found?.hint == "did you mean 'lcus'?")
    found = await failure { _ = try PowerControl(KelvinTargetsTests.board("lcus", [:])) }
    #expect(found?.message == "bench.yaml:7: power of 'rock' (lcus): 'match' or 'path' is missing")
    #expect(found?.kind == .configuration)
  }

  @Test func holdsABoardInReset() async throws {
    let server = try DeviceServer(terminal: board)
    var entry = BoardEntry(name: "rock", profile: "x", location: benchLine)
    entry.reset = DriverChoice(
      "lcus", options: ["path": .text(server.address), "normally-closed": true],
      location: benchLine)
    let control = try PowerControl(entry, .reset)
    #expect(try await control.set(.off, until: soon).state == .off)
    #expect(board.relays == [true])
    server.stop()
  }

  @Test func declaresEachSwitchOnce() {
    let declarations = PowerSwitches.builtIn.map { $0.declaration }
    let names = declarations.flatMap { [$0.name] + $0.aliases }
    #expect(Set(names).count == names.count)
    #expect(declarations.map(\.name) == declarations.map(\.name).sorted())
    #expect(declarations.allSatisfy { $0.kind == .power && !$0.description.isEmpty })
  }

  @Test func saysThatAMeterFeedsTheBoard() async {
    let found = await failure { _ = try PowerControl(KelvinTargetsTests.board("meter", [:])) }
    #expect(found?.message.contains("is fed by a meter") == true)
  }
}
