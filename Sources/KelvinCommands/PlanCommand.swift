internal import ArgumentParser
internal import KelvinAgenda
internal import KelvinModel

/// `kelvin plan`: what would run, and where each setting came from; touches no device.
struct PlanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Shows what an agenda would run, touching nothing.",
    discussion: """
      Prints the jobs in the order of execution, and for each spec its settings with the file, \
      line and column that they came from.

      EXAMPLES
        kelvin plan agenda.yaml
        kelvin plan agenda.yaml --format json | jq '.jobs[].id'
        kelvin plan agenda.yaml -i wk2 --disable cpufreq
        kelvin plan agenda.yaml --board rock            for a board that may be rebooted
      """)

  @OptionGroup var agenda: AgendaOptions
  @Option(help: "Where it is to run, as for 'kelvin run'; nobody asks the board.")
  var board = BoardChoice.local.rawValue
  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func run() async throws {
    let (plan, diagnostics) = AgendaReader.readForPlanning(
      agenda.request(board: board), declarations: CommandEnvironment.current.declarations)
    for diagnostic in diagnostics { Terminal.standardError.line("\(diagnostic)") }
    switch format {
    case .text: if let plan { PlanCommand.print(plan) }
    case .json:
      var output = Terminal.standardOutput.stream
      PlanJSON.render(plan, diagnostics: diagnostics, to: &output)
      output.flush()
    }
    if diagnostics.contains(where: { $0.severity == .error }) { throw CommandExit.badInput }
  }

  /// Prints a plan as text: cut to the terminal, whole elsewhere.
  static func print(_ plan: Plan) {
    let terminal = Terminal.standardOutput
    var output = terminal.stream
    PlanText.render(plan, columns: terminal.isTerminal ? terminal.columns : nil, to: &output)
    output.flush()
  }
}

/// How commands print data.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
  case text, json
}
