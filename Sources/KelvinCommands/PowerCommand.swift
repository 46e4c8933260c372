internal import ArgumentParser
internal import KelvinAgenda
internal import KelvinExecution
internal import KelvinModel
internal import KelvinTargets

/// `kelvin power`: switches a board of the bench, or tells its state.
struct PowerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "power",
    abstract: "Switches a board on or off, or tells whether it is.",
    discussion: """
      A state is 'measured' where a contact, a voltage or a current tells it, and 'commanded' where it \
      is only what the switch was told.

      EXAMPLES
        kelvin power on rock
        kelvin power cycle rock --off-for '5 s'
        kelvin power state rock --bench lab2.yaml --format json
        kelvin power cycle rock --reset           by its reset line
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

  @Option(help: "How long it may take in all.") var timeout = "60 s"

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  /// Reads the bench, switches, and prints what is known then.
  func carryOut(_ action: PowerAction) async throws {
    let deadline = Deadline.after(
      seconds: try Self.seconds(timeout, "--timeout"), interrupt: SignalInterrupt.begin())
    let request = PowerRequest(action: action, board: board, kind: reset ? .reset : .power)
    let reading = try bench.read(.current)
    let (report, warnings) = try await request.carryOut(on: reading.bench, until: deadline)
    for warning in warnings { Terminal.standardError.line("kelvin: \(warning)") }
    Terminal.standardOutput.line(format == .json ? report.value.json : report.text)
  }

  static func seconds(_ text: String, _ option: String) throws -> Double {
    guard let quantity = Quantity(text), quantity.value >= 0,
      quantity.unit.map({ $0.dimension == .time }) ?? true
    else { throw ValidationError("\(option): expected a time such as '5 s', found '\(text)'") }
    return quantity.value
  }
}
