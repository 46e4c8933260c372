internal import ArgumentParser
internal import KelvinModel
internal import KelvinStore

/// `kelvin runs`: the runs below a directory, and removing old ones.
struct RunsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs", abstract: "Lists runs, or removes old ones.",
    subcommands: [ListRuns.self, PruneRuns.self], defaultSubcommand: ListRuns.self)

  struct ListRuns: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists the runs below a directory, newest first.",
      discussion: """
        EXAMPLES
          kelvin runs list
          kelvin runs list --directory /srv/bench/runs --format json
        """)

    @Option(name: [.customShort("d"), .long], help: "Where the runs are.", completion: .directory)
    var directory = "runs"
    @Option(help: "Print as text or json.") var format = OutputFormat.text

    func run() async throws {
      try RunsCommand.printList(directory: directory, format: format)
    }
  }

  struct PruneRuns: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "prune",
      abstract: "Removes all but the newest runs; a run that is going on stays.",
      discussion: """
        EXAMPLES
          kelvin runs prune --keep 20
          kelvin runs prune --keep 20 --dry-run
        """)

    @Option(name: [.customShort("d"), .long], help: "Where the runs are.", completion: .directory)
    var directory = "runs"
    @Option(help: "How many runs to keep.") var keep: Int
    @Flag(help: "Say what would be removed, and remove nothing.") var dryRun = false

    func validate() throws {
      if keep < 0 { throw ValidationError("--keep takes a number from 0") }
    }

    func run() async throws {
      for entry in try RunCatalog.prune(directory: directory, keep: keep, dryRun: dryRun) {
        Terminal.standardOutput.line(
          (dryRun ? "would remove " : "removed ") + entry.path)
      }
    }
  }
}
