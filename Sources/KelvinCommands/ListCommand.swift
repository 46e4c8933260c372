internal import ArgumentParser
internal import KelvinExecution
internal import KelvinModel
internal import KelvinOutputs

/// `kelvin list`: what exists of a kind, one line each.
struct ListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists instruments, workloads, outputs or runs.",
    discussion: """
      EXAMPLES
        kelvin list instruments
        kelvin list workloads --format json
        kelvin list runs
      """)

  enum Kind: String, ExpressibleByArgument, CaseIterable {
    case instruments, workloads, outputs, runs
  }

  @Argument(help: "What to list: instruments, workloads, outputs or runs.")
  var kind: Kind

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func run() async throws {
    let declarations: [Declaration]
    switch kind {
    case .instruments: declarations = CommandEnvironment.current.registry.instrumentDeclarations
    case .workloads:
      declarations = CommandEnvironment.current.registry.workloads.map(\.declaration)
    case .outputs: declarations = CommandEnvironment.current.outputs.map { $0.declaration }
    case .runs:
      try RunsCommand.printList(directory: "runs", format: format)
      return
    }
    let sorted = declarations.sorted { $0.name < $1.name }
    switch format {
    case .text: Terminal.standardOutput.line(DeclarationText.list(sorted))
    case .json:
      Terminal.standardOutput.line(
        Value.list(sorted.map(DeclarationText.value)).json)
    }
  }
}
