internal import ArgumentParser
internal import KelvinAgenda
internal import KelvinModel
internal import KelvinStore

/// A board of the bench by its name, or this machine.
struct BoardArgument: ParsableArguments {
  @Argument(help: "The board's name in the bench file; local is this machine.")
  var board: String

  @OptionGroup var bench: BenchOptions

  /// The board as the bench database knows it.
  func resource() throws -> BenchResource {
    let host = try HostIdentity.current()
    let environment = CommandEnvironment.current
    if BoardChoice(rawValue: board) != nil { return .thisMachine(on: host) }
    let entry = try bench.board(board, in: try bench.read(environment).bench)
    return BenchResources(environment.benchDeclarations(environment.hardware), host: host)
      .board(entry)
  }
}

extension BenchOptions {
  /// The board of this name.
  ///
  /// - Throws: when there is none; with the nearest name.
  func board(_ name: String, in bench: Bench) throws(PlainFailure) -> BoardEntry {
    if let entry = bench.board(named: name) { return entry }
    throw PlainFailure(
      .configuration, "there is no board '\(name)' on this bench",
      hint: NearestName.hint(
        for: name, in: bench.boards.map(\.name) + BoardChoice.allCases.map(\.rawValue)))
  }
}
