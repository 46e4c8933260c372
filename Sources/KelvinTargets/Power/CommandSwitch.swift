internal import KelvinConnections
internal import KelvinDevices
public import KelvinModel

/// Programs of this host that switch: any switch that Kelvin does not know itself.
public struct CommandSwitch: PowerSwitch {
  public static let declaration = Declaration(
    .power, "command", aliases: ["external"],
    summary: "Programs of this host that switch a board on and off and tell its state.",
    description: """
      Each is run directly, not by a shell; exit code 0 means done. 'state' prints 'on' or 'off' as \
      its first word, or exits with 0 for on and 1 for off when it prints nothing. Programs get \
      KELVIN_POWER=on, off, cycle or state in their environment, and are ended with everything they \
      started when they take too long.
      """,
    options: [
      OptionDeclaration("on", .argv, required: true, "Switches on."),
      OptionDeclaration("off", .argv, required: true, "Switches off."),
      OptionDeclaration(
        "cycle", .argv, isDetail: true, "Switches off and on again; else 'off' and 'on' are run."),
      OptionDeclaration(
        "state", .argv, isDetail: true, "Tells the state; else it is what was last done."),
      OptionDeclaration(
        "measured", .boolean, default: false, isDetail: true,
        "'state' reads a contact, voltage or current behind the switch, not what it was told.")
    ])

  private let on: [String]
  private let off: [String]
  private let cycle: [String]?
  private let state: [String]?
  private let source: PowerReading.Source
  private let memory = CommandedState()

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    let options = DriverOptions(choice, Self.declaration)
    guard let on = options.words("on"), !on.isEmpty, let off = options.words("off"), !off.isEmpty
    else { throw PowerFailure(.configuration, "'on' and 'off' must both name a program") }
    self.on = on
    self.off = off
    cycle = options.words("cycle")
    state = options.words("state")
    source = options.flag("measured") ? .measured : .commanded
    guard state != nil || source == .commanded else {
      throw PowerFailure(.configuration, "'measured' without a 'state' that measures")
    }
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    try check(await run(state == .on ? on : off, state.rawValue, deadline), state == .on ? on : off)
    memory.value = state
  }

  public func cycle(offSeconds: Double, until deadline: Deadline) async throws(PowerFailure) {
    guard let cycle else {
      return try await setOffAndOn(offSeconds, until: deadline)
    }
    try check(await run(cycle, "cycle", deadline), cycle)
    memory.value = .on
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    guard let state else { return PowerReading(memory.value, .commanded) }
    let result = try await run(state, "state", deadline)
    let words = result.standardOutput.text.split { $0.isWhitespace }
    switch (words.first?.lowercased(), result.termination) {
    case ("on", .exited(0)), (nil, .exited(0)): return PowerReading(.on, source)
    case ("off", .exited(0)), (nil, .exited(1)): return PowerReading(.off, source)
    default:
      try check(result, state)
      throw PowerFailure(
        .infrastructure, "\(state[0]): its output is neither 'on' nor 'off'",
        evidence: Excerpt.of(result.standardOutput.bytes))
    }
  }

  private func run(
    _ argv: [String], _ action: String, _ deadline: Deadline
  ) async throws(PowerFailure) -> CommandResult {
    do {
      return try await LocalConnection().execute(
        Command(
          argv, environment: ["KELVIN_POWER": action], standardOutput: .capture(limit: 65_536),
          standardError: .capture(limit: 65_536)), until: deadline)
    } catch {
      switch error.code {
      case .timedOut:
        throw PowerFailure(
          .timeout, "\(argv[0]): it did not end in time and was ended",
          evidence: Excerpt.of(error.partial?.standardError.bytes ?? []))
      case .notFound, .permissionDenied:
        throw PowerFailure(.configuration, error.message, hint: error.hint)
      default: throw PowerFailure(.infrastructure, error.message, hint: error.hint)
      }
    }
  }

  private func check(_ result: CommandResult, _ argv: [String]) throws(PowerFailure) {
    guard !result.isSuccess else { return }
    let said = result.standardError.bytes.isEmpty ? result.standardOutput : result.standardError
    throw PowerFailure(
      .infrastructure, "\(argv[0]) \(result.termination)", evidence: Excerpt.of(said.bytes))
  }
}
