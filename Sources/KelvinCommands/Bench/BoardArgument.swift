internal import ArgumentParser
internal import Glibc
internal import KelvinModel
internal import KelvinStore
internal import KelvinSystem

/// A board by its name, and the bench file that the name belongs to.
struct BoardArgument: ParsableArguments {
  @Argument(help: "The board's name in the bench file; local is this machine.")
  var board: String

  @Option(
    help: "The bench file; default: ./bench.yaml, ./bench.d, then the user's own.",
    completion: .file(extensions: ["yaml", "yml"]))
  var bench: String?

  /// The board as the bench database knows it.
  func resource() throws -> BenchResource {
    if BoardChoice(rawValue: board) != nil { return .thisMachine(try HostIdentity.current()) }
    return BenchResource(.board, board, bench: try BoardArgument.benchPath(bench))
  }

  /// The bench file's path behind all symbolic links: names of boards belong to it.
  static func benchPath(_ given: String?) throws -> String {
    if let given {
      if let path = SmallFile.realPath(given) { return path }
      throw PlainFailure(
        .configuration, "\(given): \(Errno.current)", hint: "give a bench file with --bench")
    }
    let config =
      getenv("XDG_CONFIG_HOME").map { String(cString: $0) }
      ?? getenv("HOME").map { String(cString: $0) + "/.config" }
    let candidates = ["bench.yaml", "bench.d"] + (config.map { [$0 + "/kelvin/bench.yaml"] } ?? [])
    if let path = candidates.lazy.compactMap({ SmallFile.realPath($0) }).first { return path }
    throw PlainFailure(
      .configuration, "there is no bench file: looked for \(candidates.joined(separator: ", "))",
      hint: "give one with --bench; 'local' needs none")
  }
}
