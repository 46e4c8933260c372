internal import ArgumentParser
internal import Glibc
internal import KelvinAgenda
internal import KelvinExecution
internal import KelvinModel
internal import KelvinOutputs
internal import KelvinStore

/// `kelvin show`: a run's results, or the documentation of a workload, instrument, output, driver or
/// profile.
struct ShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Shows a run, or documents a workload, instrument, output, board or meter.",
    discussion: """
      EXAMPLES
        kelvin show runs/2026-11-21T10-02-33-x
        kelvin show instrument cpufreq
        kelvin show workload fio
        kelvin show fio
        kelvin show board rock-5b
        kelvin show meter ppk2
        kelvin show connection ssh
      """)

  /// What a subject may be, besides a run.
  private static let kinds = [
    "instrument", "workload", "setting", "output", "board", "meter", "connection", "console",
    "power", "reset"
  ]

  @Argument(
    help: ArgumentHelp("A run directory, or [\(kinds.joined(separator: "|"))] NAME."),
    completion: .custom { _, _, _ in
      let environment = CommandEnvironment.current
      let hardware = environment.hardware
      return ShowCommand.kinds + ShowCommand.allDeclarations(environment).map(\.name)
        + hardware.names(.board) + hardware.names(.meter)
    })
  var subject: [String]

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func run() async throws {
    guard let first = subject.first, subject.count <= 2 else {
      throw ValidationError("name a run directory, or [KIND] NAME, such as 'board rock-5b'")
    }
    if subject.count == 1, access(first + "/run.db", F_OK) == 0 {
      try showRun(first)
      return
    }
    let kind = try subject.count == 2 ? wantedKind(first) : nil
    let name = subject.last ?? ""
    if try showProfile(kind: kind, name: name) { return }
    let declaration = try find(kind: kind.flatMap(Declaration.Kind.init(rawValue:)), name: name)
    switch format {
    case .text:
      Terminal.standardOutput.line(
        DeclarationText.page(declaration, columns: Terminal.standardOutput.columns))
    case .json: Terminal.standardOutput.line(DeclarationText.value(declaration).json)
    }
  }

  /// Shows a board's or meter's profile.
  ///
  /// - Parameter kind: nil: whatever has this name.
  /// - Returns: false when something else is meant.
  private func showProfile(kind: String?, name: String) throws -> Bool {
    let hardware = CommandEnvironment.current.hardware
    let columns = Terminal.standardOutput.columns
    // Without a kind, what is built in has the first say.
    let isOpen =
      kind == nil && !ShowCommand.allDeclarations(.current).contains { $0.isNamed(name) }
    let (page, value): (String, Value)
    if kind == "board" || isOpen && hardware.names(.board).contains(name) {
      let profile = try hardware.board(named: name)
      (page, value) = (ProfileText.page(profile, columns: columns), ProfileText.value(profile))
    } else if kind == "meter" || isOpen && hardware.names(.meter).contains(name) {
      let profile = try hardware.meter(named: name)
      (page, value) = (ProfileText.page(profile, columns: columns), ProfileText.value(profile))
    } else {
      return false
    }
    Terminal.standardOutput.line(format == .json ? value.json : page)
    return true
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
      + environment.registry.instrumentDeclarations
      + environment.declarations.settings.declarations.map(\.declaration)
      + environment.outputs.map { $0.declaration }
      + environment.driverDeclarations
  }

  /// A kind in the singular.
  private func wantedKind(_ written: String) throws -> String {
    let singular = written.hasSuffix("s") ? String(written.dropLast()) : written
    if ShowCommand.kinds.contains(singular) { return singular }
    throw PlainFailure(
      .configuration, "'\(written)': no kind of thing to show",
      hint: NearestName.hint(for: written, in: ShowCommand.kinds))
  }

  private func find(kind: Declaration.Kind?, name: String) throws -> Declaration {
    // Whatever switches power resets, or switches links, as well.
    let isWanted = { (found: Declaration.Kind) in
      kind == nil || found == kind || (kind == .reset || kind == .link) && found == .power
    }
    let declarations = ShowCommand.allDeclarations(.current).filter { isWanted($0.kind) }
    if let found = declarations.first(where: { $0.isNamed(name) }) { return found }
    var names = declarations.map(\.name)
    if kind == nil {
      let hardware = CommandEnvironment.current.hardware
      names += hardware.names(.board) + hardware.names(.meter)
    }
    if subject.count == 1, let kind = try? wantedKind(name) {
      throw PlainFailure(
        .configuration, "'\(name)': which one?",
        hint: "add its name, as in 'kelvin show \(kind) NAME'; 'kelvin list' has the names")
    }
    throw PlainFailure(
      .configuration, "'\(name)': neither a run directory nor a known name",
      hint: NearestName.hint(for: name, in: names))
  }
}

extension Declaration {
  /// Whether this is the name or one of the aliases.
  fileprivate func isNamed(_ name: String) -> Bool { self.name == name || aliases.contains(name) }
}
