internal import ArgumentParser
internal import KelvinAgenda
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// `kelvin power`: switches a board of the bench, or tells its state.
struct PowerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "power",
    abstract: "Switches a board on or off, or tells whether it is.",
    discussion: """
      A state is 'measured' where a contact, a voltage or a current tells it, and 'commanded' where it \
      is only what the switch was told.

      Switching leases the board for the moment, so that no run gets it meanwhile. A board that \
      somebody else has or keeps is refused; one that a run of your own has needs --force. Telling \
      the state asks nobody.

      EXAMPLES
        kelvin power on rock
        kelvin power cycle rock --off-for '5 s'
        kelvin power state rock --bench lab2.yaml --format json
        kelvin power cycle rock --reset           by its reset line
        kelvin power off rock --take-over         although a run that is gone left it leased
      """, subcommands: [On.self, Off.self, Cycle.self, State.self])

  struct On: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Switches a board on.")
    @OptionGroup var options: PowerOptions
    func run() async throws { try await options.carryOut(.on) }
  }

  struct Off: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Switches a board off.")
    @OptionGroup var options: PowerOptions
    func run() async throws { try await options.carryOut(.off) }
  }

  struct Cycle: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Switches a board off, and on again.")
    @OptionGroup var options: PowerOptions
    @Option(help: "How long it stays off.") var offFor = "2 s"

    func run() async throws {
      try await options.carryOut(.cycle(offSeconds: DurationText.seconds(offFor, "--off-for")))
    }
  }

  struct State: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Tells whether a board is on.")
    @OptionGroup var options: PowerOptions
    func run() async throws { try await options.carryOut(.state) }
  }
}

/// What all of them take.
struct PowerOptions: ParsableArguments {
  @Argument(help: "The board, by its name in the bench file.") var board: String

  @OptionGroup var bench: BenchOptions

  @Flag(help: "The board's reset line instead of its power: off is held, on released.")
  var reset = false

  @Flag(help: "What switches the board's link, instead of its power.")
  var link = false

  /// Which of the board's switches is meant.
  private var line: Declaration.Kind { reset ? .reset : link ? .link : .power }

  func validate() throws {
    if reset, link { throw ValidationError("--reset and --link exclude each other") }
  }

  @OptionGroup var hold: BoardHoldOptions

  @Option(help: "How long it may take in all.") var timeout = "60 s"

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  /// Reads the bench, switches, and prints what is known then.
  func carryOut(_ action: PowerAction) async throws {
    let deadline = try Deadline.ofCommand(timeout)
    let request = PowerRequest(action: action, board: board, kind: line)
    let bench = try bench.read(.current).bench
    let (report, warnings): (PowerRequest.Report, [String])
    if let (resource, external) = try leased(for: request, on: bench) {
      (report, warnings) = try await hold.holding(
        .init(resource, external: external), for: "kelvin power \(action.word)", until: deadline
      ) { lease in
        // A board that is held in reset draws power, and shows it.
        if let lease, line == .power, case .cycle = action {
          try await lease.switchingOff(resource, reason: "kelvin power cycle")
        }
        let outcome = try await request.carryOut(on: bench, until: deadline)
        if let lease, line == .power { try await lease.switched(resource) }
        return outcome
      }
    } else {
      (report, warnings) = try await request.carryOut(on: bench, until: deadline)
    }
    for warning in warnings { Terminal.standardError.line("kelvin: \(warning)") }
    Terminal.standardOutput.line(format == .json ? report.value.json : report.text)
  }

  /// What is to be leased; nil when nothing is switched.
  private func leased(
    for request: PowerRequest, on bench: Bench
  ) throws -> (resource: BenchResource, external: ExternalLease?)? {
    // What cannot be switched at all is told by the request itself.
    guard let entry = bench.board(named: board), entry.choice(of: line) != nil
    else { return nil }
    let environment = CommandEnvironment.current
    let resource = BenchResources(
      environment.benchDeclarations(environment.hardware), host: try HostIdentity.current()
    ).board(entry)
    guard request.action == .state else { return (resource, entry.lease) }
    // Telling the state asks nobody, and fails for nothing but the switch.
    if let status = try? BenchListing.status(of: resource), status.isLeftOff {
      Terminal.standardError.line("kelvin: \(resource.label): \(StatusText.details(of: status))")
    }
    return nil
  }
}
