import KelvinModel
import KelvinTargets
import Testing

/// Switches that are programs of this host.
@Suite(.timeLimit(.minutes(1)))
struct PowerCommandSwitchTests {
  func make(
    _ directory: Directory, state: Value? = ["cat", "state"], cycle: Value? = nil
  ) throws -> any PowerSwitch {
    let script = try directory.write(
      "switch", "#!/bin/sh\nprintf %s \"$KELVIN_POWER\" > '\(directory.path)/state'\n", mode: 0o755)
    var options: [String: Value] = ["on": [.text(script)], "off": [.text(script)]]
    if case .list(let words)? = state {
      options["state"] = .list(
        words.map { $0 == "state" ? .text(directory.path + "/state") : $0 })
    }
    options["cycle"] = cycle.map { _ in [.text(script)] }
    return try makeSwitch(CommandSwitch.self, options)
  }

  @Test func runsTheProgramForEachState() async throws {
    let directory = try Directory()
    let power = try make(directory)
    for state in PowerState.allCases {
      try await power.set(state, until: soon)
      #expect(try await power.state(until: soon) == PowerReading(state, .commanded))
    }
    try await power.cycle(offSeconds: 0, until: soon)
    #expect(try await power.state(until: soon).state == .on)
  }

  @Test func runsOneProgramToCycle() async throws {
    let directory = try Directory()
    let power = try make(directory, state: nil, cycle: true)
    #expect(try await power.state(until: soon) == PowerReading(nil, .commanded))
    try await power.cycle(offSeconds: 100, until: soon)
    #expect(try await power.state(until: soon) == PowerReading(.on, .commanded))
  }

  @Test(arguments: [
    (["true"], PowerState.on), (["false"], .off), (["echo", "ON"], .on), (["echo", "off now"], .off)
  ])
  func readsStates(argv: [String], state: PowerState) async throws {
    let power = try makeSwitch(
      CommandSwitch.self,
      [
        "on": ["true"], "off": ["true"], "state": .list(argv.map(Value.text)), "measured": true
      ])
    #expect(try await power.state(until: soon) == PowerReading(state, .measured))
  }

  @Test(arguments: [
    (["sh", "-c", "echo broken >&2; exit 3"], "sh exited with 3 (broken.)"),
    (["sh", "-c", "kill -9 $$"], "sh was ended by signal 9"),
    (["echo", "maybe"], "echo: its output is neither 'on' nor 'off' (maybe.)"),
    (["sh", "-c", "echo on; exit 4"], "sh exited with 4 (on.)")
  ])
  func saysWhatAProgramDid(argv: [String], text: String) async throws {
    let power = try makeSwitch(
      CommandSwitch.self, ["on": ["true"], "off": ["true"], "state": .list(argv.map(Value.text))])
    let failure = await failure { _ = try await power.state(until: soon) }
    #expect(failure?.description == text)
  }

  @Test func endsAProgramThatTakesTooLong() async throws {
    let power = try makeSwitch(CommandSwitch.self, ["on": ["sleep", "600"], "off": ["true"]])
    let failure = await failure { try await power.set(.on, until: .after(seconds: 0.2)) }
    #expect(failure?.kind == .timeout)
    #expect(failure?.message == "sleep: it did not end in time and was ended")
  }

  @Test func saysThatAProgramIsMissing() async throws {
    let power = try makeSwitch(CommandSwitch.self, ["on": ["kelvin-no-such"], "off": ["true"]])
    let failure = await failure { try await power.set(.on, until: soon) }
    #expect(failure?.kind == .configuration)
    #expect(failure?.message.contains("kelvin-no-such") == true)
  }

  @Test func wantsAProgramThatMeasures() async {
    let failure = await failure {
      _ = try makeSwitch(
        CommandSwitch.self, ["on": ["true"], "off": ["true"], "measured": true])
    }
    #expect(failure?.kind == .configuration)
  }

  @Test func leavesTheBoardOffWhenNoTimeIsLeft() async throws {
    let directory = try Directory()
    let power = try make(directory)
    let failure = await failure {
      try await power.cycle(offSeconds: 60, until: .after(seconds: 0.3))
    }
    #expect(failure?.kind == .timeout)
    #expect(failure?.leavesOff == true)
    #expect(try await power.state(until: soon).state == .off)
  }
}
