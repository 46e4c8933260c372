internal import ArgumentParser
internal import Glibc
internal import KelvinAgenda
internal import KelvinModel

/// The options by which `run` and `plan` read an agenda; they mean what they mean to `wa run`.
struct AgendaOptions: ParsableArguments {
  @Argument(
    help: "The agenda, a YAML file.", completion: .file(extensions: ["yaml", "yml", "json"]))
  var agenda: String

  @Option(
    name: [.customShort("c"), .long], parsing: .singleValue,
    help: "A configuration file; later ones win. May be repeated.",
    completion: .file(extensions: ["yaml", "yml", "json"]))
  var config: [String] = []

  @Option(
    name: [.customShort("i"), .customLong("id")], parsing: .singleValue,
    help: "Only the specs with this id. May be repeated.")
  var ids: [String] = []

  @Option(
    parsing: .singleValue, help: "Switch an instrument or output off. May be repeated.",
    completion: .custom { _, _, _ in
      let declarations = CommandEnvironment.current.declarations
      return (declarations.instruments + declarations.outputs).map(\.name)
    })
  var disable: [String] = []

  @Option(help: "Seed of the random execution order; drawn and recorded when not given.")
  var seed: UInt64?

  /// What is on when neither agenda nor configuration says anything.
  static let defaultAugmentations = ["execution_time", "csv", "status"]

  /// - Parameter board: where it is to run.
  func request(board: String) -> AgendaRequest {
    AgendaRequest(
      agendaPath: agenda, configPaths: config, userConfigPaths: AgendaOptions.userConfigPaths(),
      onlyIDs: ids, disabled: disable, seed: seed,
      defaultAugmentations: AgendaOptions.defaultAugmentations,
      isLocalTarget: BoardChoice(rawValue: board) != nil)
  }

  /// The user's own configuration files that exist, weakest first: Workload Automation's, then
  /// Kelvin's.
  static func userConfigPaths() -> [String] {
    guard let home = getenv("HOME").map({ String(cString: $0) }) else { return [] }
    let wa =
      getenv("WA_USER_DIRECTORY").map { String(cString: $0) } ?? home + "/.workload_automation"
    let own = UserConfiguration.directory(HostEnvironment.variables)
    return ([wa] + (own.map { [$0] } ?? [])).map { $0 + "/config.yaml" }
      .filter { access($0, R_OK) == 0 }
  }
}
