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
      try await options.carryOut(.cycle(offSeconds: PowerOptions.seconds(offFor, "--off-for")))
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

  @Flag(
    help: """
      Take over the board from a run that is gone, or on a host that is gone for good; its settings \
      are restored first.
      """)
  var takeOver = false

  @OptionGroup var use: BoardUseOptions

  @Option(help: "How long it may take in all.") var timeout = "60 s"

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  /// Reads the bench, switches, and prints what is known then.
  func carryOut(_ action: PowerAction) async throws {
    let deadline = Deadline.after(
      seconds: try Self.seconds(timeout, "--timeout"), interrupt: SignalInterrupt.begin())
    let request = PowerRequest(action: action, board: board, kind: reset ? .reset : .power)
    let bench = try bench.read(.current).bench
    let held = try await hold(for: request, on: bench, until: deadline)
    let (report, warnings): (PowerRequest.Report, [String])
    do {
      // A board that is held in reset draws power, and shows it.
      if let held, !reset, case .cycle = action {
        try await held.lease.switchingOff(held.resource, reason: "kelvin power cycle")
      }
      (report, warnings) = try await request.carryOut(on: bench, until: deadline)
      if let held, !reset { try await held.lease.switched(held.resource) }
    } catch {
      await Self.giveBack(held?.lease)
      throw error
    }
    await Self.giveBack(held?.lease)
    for warning in warnings { Terminal.standardError.line("kelvin: \(warning)") }
    Terminal.standardOutput.line(format == .json ? report.value.json : report.text)
  }

  /// The board, for as long as it is switched; nil when nothing is, or it is used beside a run.
  private func hold(
    for request: PowerRequest, on bench: Bench, until deadline: Deadline
  ) async throws -> (lease: BoardLease, resource: BenchResource)? {
    // What cannot be switched at all is told by the request itself.
    guard let entry = bench.board(named: board), (reset ? entry.reset : entry.power) != nil
    else { return nil }
    let environment = CommandEnvironment.current
    let resource = BenchResources(
      environment.benchDeclarations(environment.hardware), host: try HostIdentity.current()
    ).board(entry)
    guard request.action != .state else {
      // Telling the state asks nobody, and fails for nothing but the switch.
      if let status = try? BenchListing.status(of: resource), status.isLeftOff {
        Terminal.standardError.line("kelvin: \(resource.label): \(StatusText.details(of: status))")
      }
      return nil
    }
    let lease = try await use.use.take(
      LeaseWish(
        [.init(resource, external: entry.lease)],
        purpose: "kelvin power \(request.action.word)", takesOver: takeOver, attends: true,
        note: { Terminal.standardError.line("kelvin: \($0)") },
        // Kelvin has changed no setting that outlives its run.
        restore: { _, _ in }), until: deadline)
    return lease.map { ($0, resource) }
  }

  private static func giveBack(_ lease: BoardLease?) async {
    for problem in await lease?.giveBack() ?? [] {
      Terminal.standardError.line("kelvin: warning: \(problem)")
    }
  }

  static func seconds(_ text: String, _ option: String) throws -> Double {
    guard let quantity = Quantity(text), quantity.value >= 0,
      quantity.unit.map({ $0.dimension == .time }) ?? true
    else { throw ValidationError("\(option): expected a time such as '5 s', found '\(text)'") }
    return quantity.value
  }
}
