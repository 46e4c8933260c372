internal import ArgumentParser
internal import KelvinStore

/// `kelvin bench disable`: takes a board out.
struct BenchDisableCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "disable", abstract: "Takes a board out: no run gets it until it is enabled.",
    discussion: """
      A run that has the board now keeps it to its end.

      EXAMPLES
        kelvin bench disable rock --reason 'fan broken'
      """)

  @OptionGroup var board: BoardArgument
  @Option(help: "Why, for the others.") var reason: String

  func run() async throws {
    let resource = try board.resource()
    let store = try BenchStore.open()
    defer { store.close() }
    let status = try store.disable(resource, reason: reason)
    Terminal.standardOutput.line("\(resource.label): disabled")
    if status.lease != nil {
      Terminal.standardError.line("kelvin: \(resource.label): \(StatusText.details(of: status))")
    }
  }
}
