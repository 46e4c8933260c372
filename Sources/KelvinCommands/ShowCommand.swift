internal import ArgumentParser
internal import Glibc
internal import KelvinExecution
internal import KelvinModel
internal import KelvinOutputs
internal import KelvinStore

/// `kelvin show`: a run's results, or the documentation of a workload, instrument or output.
struct ShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Shows a run, or documents a workload, instrument or output.",
    discussion: """
      EXAMPLES
        kelvin show runs/2026-11-21T10-02-33-x
        kelvin show instrument cpufreq
        kelvin show workload fio
        kelvin show fio
      """)

  @Argument(
    help: "A run directory, or [instrument|workload|output] NAME.",
    completion: .custom { _, _, _ in
      let environment = CommandEnvironment.current
      return ["instrument", "workload", "output"]
        + ShowCommand.allDeclarations(environment).map(\.name)
    })
  var subject: [String]

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func run() async throws {
    guard let first = subject.first, subject.count <= 2 else {
      throw ValidationError("name a run directory, or [instrument|workload|output] NAME")
    }
    if subject.count == 1, access(first + "/run.db", F_OK) == 0 {
      try showRun(first)
      return
    }
    let declaration = try find(kind: subject.count == 2 ? first : nil, name: subject.last ?? "")
    switch format {
    case .text:
      Terminal.standardOutput.line(
        DeclarationText.page(declaration, columns: Terminal.standardOutput.columns))
    case .json: Terminal.standardOutput.line(DeclarationText.value(declaration).json)
    }
  }

  private func showRun(_ directory: String) throws {
    let reader = try RunReader(directory: directory)
    switch format {
    case .text:
      Terminal.standardOutput.line(
        try SummaryTable.render(run: reader, columns: Terminal.standardOutput.columns))
    case .json:
      let scratch = try ScratchDirectory()
      let written = try JSONOutput(settings: [:]).process(run: reader, to: scratch.path)
      for artifact in written {
        let bytes = try HostFile.read(scratch.path + "/" + artifact.path, limit: .max)
        Terminal.standardOutput.write(String(decoding: bytes, as: UTF8.self))
      }
    }
  }

  static func allDeclarations(_ environment: CommandEnvironment) -> [Declaration] {
    environment.registry.workloads.map(\.declaration)
      + environment.registry.instrumentDeclarations + environment.outputs.map { $0.declaration }
  }

  private func find(kind: String?, name: String) throws -> Declaration {
    var declarations = ShowCommand.allDeclarations(.current)
    if let kind {
      let singular = kind.hasSuffix("s") ? String(kind.dropLast()) : kind
      guard let wanted = Declaration.Kind(rawValue: singular) else {
        throw PlainFailure(
          .configuration, "'\(kind)': no kind of thing to show",
          hint: NearestName.hint(for: kind, in: Declaration.Kind.allCases.map(\.rawValue)))
      }
      declarations = declarations.filter { $0.kind == wanted }
    }
    if let found = declarations.first(where: { $0.name == name || $0.aliases.contains(name) }) {
      return found
    }
    throw PlainFailure(
      .configuration, "'\(name)': neither a run directory nor a known name",
      hint: NearestName.hint(for: name, in: declarations.map(\.name)))
  }
}
