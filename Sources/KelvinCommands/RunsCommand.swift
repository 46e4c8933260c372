internal import ArgumentParser
internal import KelvinExecution
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
      let catalog = RunCatalog(directory: directory)
      if dryRun {
        for entry in try catalog.candidates(keep: keep) {
          Terminal.standardOutput.line("would remove \(entry.path)")
        }
        return
      }
      let pruning = try catalog.prune(keep: keep)
      for entry in pruning.deleted { Terminal.standardOutput.line("removed \(entry.path)") }
      for failure in pruning.failures { Terminal.standardError.line("kelvin: \(failure)") }
      if !pruning.failures.isEmpty { throw CommandExit.jobNotOK }
    }
  }

  /// Prints the runs below a directory, newest first.
  static func printList(directory: String, format: OutputFormat) throws {
    let entries = try RunCatalog(directory: directory).entries()
    switch format {
    case .json: Terminal.standardOutput.line(Value.list(entries.map(value)).json)
    case .text:
      if entries.isEmpty { Terminal.standardOutput.line("no runs in \(directory)") }
      let width = entries.map(\.path.count).max() ?? 0
      for entry in entries { Terminal.standardOutput.line(line(entry, width: width)) }
    }
  }

  private static func line(_ entry: RunCatalog.Entry, width: Int) -> String {
    let path = entry.path + String(repeating: " ", count: width - entry.path.count)
    guard let info = entry.info else {
      return "\(path)  \(entry.failure?.description ?? "not readable")"
    }
    let state =
      info.isInProgress
      ? "going on" : info.isCutOff ? "cut off" : info.outcome?.verdict.text ?? "ended"
    let counts = Verdict.Status.allCases.compactMap { status in
      entry.verdicts[status].map { "\($0) \(status.rawValue)" }
    }
    let size = Double(entry.size) / 1_048_576
    return "\(path)  \(state)  \(counts.joined(separator: ", "))  "
      + "\(Double(Int(size * 10)) / 10) MiB"
  }

  private static func value(_ entry: RunCatalog.Entry) -> Value {
    var counts: [String: Value] = [:]
    for (status, count) in entry.verdicts {
      counts[status?.rawValue ?? "open"] = .integer(Int64(count))
    }
    var values: [String: Value] = [
      "path": .text(entry.path), "bytes": .integer(entry.size), "jobs": .map(counts)
    ]
    if let info = entry.info {
      values["name"] = .text(info.record.name)
      values["created"] = .text(WallTime.text(nanoseconds: info.record.createdWallNanoseconds))
      values["state"] = .text(info.isInProgress ? "going on" : info.isCutOff ? "cut off" : "ended")
      if let verdict = info.outcome?.verdict.text { values["verdict"] = .text(verdict) }
    }
    if let failure = entry.failure { values["problem"] = .text(failure.description) }
    return .map(values)
  }
}
