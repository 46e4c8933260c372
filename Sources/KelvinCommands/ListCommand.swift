internal import ArgumentParser
internal import KelvinAgenda
internal import KelvinExecution
internal import KelvinModel
internal import KelvinOutputs

/// `kelvin list`: what exists of a kind, one line each.
struct ListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists instruments, workloads, settings, outputs, runs, boards, meters or drivers.",
    discussion: """
      EXAMPLES
        kelvin list instruments
        kelvin list workloads --format json
        kelvin list settings                  what agendas may write under runtime_params
        kelvin list runs
        kelvin list boards                    kinds of boards that are known, not those attached
        kelvin list connections
      """)

  enum Kind: String, ExpressibleByArgument, CaseIterable {
    case instruments, workloads, settings, outputs, runs, boards, meters, connections, consoles,
      bootloaders
    case power, reset, link

    /// Of the drivers that bench files may name under this key.
    var driverKinds: [Declaration.Kind] {
      switch self {
      case .connections: [.connection]
      case .consoles: [.console]
      case .bootloaders: [.bootloader]
      case .power: [.power]
      case .reset: [.reset, .power]
      case .link: [.link, .power]
      default: []
      }
    }
  }

  @Argument(
    help: ArgumentHelp(
      "What to list: \(Kind.allCases.map(\.rawValue).joined(separator: ", ")). Boards and meters "
        + "are the kinds that have a profile."))
  var kind: Kind

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func run() async throws {
    let environment = CommandEnvironment.current
    switch kind {
    case .instruments: print(environment.registry.instrumentDeclarations)
    case .workloads: print(environment.registry.workloads.map(\.declaration))
    case .settings:
      print(
        environment.declarations.settings.declarations.map { setting in
          let declaration = setting.declaration
          return (
            setting.usage, declaration.summary, declaration.verified,
            DeclarationText.value(declaration)
          )
        })
    case .outputs: print(environment.outputs.map { $0.declaration })
    case .runs: try RunsCommand.printList(directory: "runs", format: format)
    case .connections, .consoles, .bootloaders, .power, .reset, .link:
      print(environment.driverDeclarations.filter { kind.driverKinds.contains($0.kind) })
    case .boards:
      let (profiles, mistakes) = environment.hardware.boards()
      print(profiles.map { ($0.name, $0.title, $0.verified, ProfileText.value($0)) })
      try refuse(mistakes)
    case .meters:
      let (profiles, mistakes) = environment.hardware.meters()
      print(profiles.map { ($0.name, $0.title, $0.verified, ProfileText.value($0)) })
      try refuse(mistakes)
    }
  }

  private func print(_ declarations: [Declaration]) {
    print(
      declarations.map { ($0.name, $0.summary, $0.verified, DeclarationText.value($0)) })
  }

  private func print(_ things: [(String, String, String?, Value)]) {
    let sorted = things.sorted { $0.0 < $1.0 }
    switch format {
    case .text:
      Terminal.standardOutput.line(DeclarationText.list(sorted.map { ($0.0, $0.1, $0.2) }))
    case .json: Terminal.standardOutput.line(Value.list(sorted.map(\.3)).json)
    }
  }

  /// After the profiles that can be read, what is wrong with the others.
  private func refuse(_ mistakes: [Diagnostic]) throws {
    guard !mistakes.isEmpty else { return }
    throw ConfigurationFailure(mistakes)
  }
}
