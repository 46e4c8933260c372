internal import ArgumentParser
internal import KelvinStore

/// `kelvin bench enable`: puts a board back that was disabled or quarantined.
struct BenchEnableCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "enable", abstract: "Puts a board back that was disabled or quarantined.",
    discussion: """
      EXAMPLES
        kelvin bench enable rock
        kelvin bench enable rock --reason 'new fan'
      """)

  @OptionGroup var board: BoardArgument
  @Option(help: "What was done, for the record.") var reason = ""

  func run() async throws {
    let resource = try board.resource()
    let store = try BenchStore.open()
    defer { store.close() }
    let wasOut = try store.enable(resource, reason: reason)
    Terminal.standardOutput.line(
      "\(resource.label): \(wasOut ? "enabled" : "was neither disabled nor quarantined")")
  }
}
