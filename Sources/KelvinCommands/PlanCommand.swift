internal import ArgumentParser
internal import KelvinAgenda
internal import KelvinModel

/// `kelvin plan`: what would run, and where each setting came from; touches no device.
struct PlanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Shows what an agenda would run, touching nothing.",
    discussion: """
      Prints the jobs in the order of execution, and for each spec its settings with the file, line
      and column that they came from.

      EXAMPLES
        kelvin plan agenda.yaml
        kelvin plan agenda.yaml --format json | jq '.jobs[].id'
        kelvin plan agenda.yaml -i wk2 --disable cpufreq
      """)

  @OptionGroup var agenda: AgendaOptions
  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func run() async throws {
    let (plan, diagnostics) = AgendaReader.readForPlanning(
      agenda.request(), declarations: CommandEnvironment.current.declarations)
    for diagnostic in diagnostics { Terminal.standardError.line("\(diagnostic)") }
    if let plan {
      switch format {
      case .text:
        Terminal.standardOutput.line(
          PlanText.render(
            plan,
            columns: Terminal.standardOutput.isTerminal ? Terminal.standardOutput.columns : nil))
      case .json: Terminal.standardOutput.line(PlanJSON.render(plan))
      }
    }
    if diagnostics.contains(where: { $0.severity == .error }) { throw CommandExit.badInput }
  }
}

/// How commands print data.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
  case text, json
}
