internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import KelvinAgenda
internal import KelvinConnections
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore

/// `kelvin run`: reads an agenda and carries it out.
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Runs an agenda.",
    discussion: """
      Every mistake in the agenda is reported before anything is touched. Results go to a new run \
      directory; run.db in it is the truth, everything else there is derived from it.

      EXAMPLES
        kelvin run examples/quickstart.yaml
        kelvin run agenda.yaml -d runs/first        results in runs/first
        kelvin run agenda.yaml -i wk2               only the spec wk2
        kelvin run agenda.yaml --disable cpufreq    without that instrument
        kelvin run agenda.yaml --dry-run            what would run, touching nothing
        kelvin run agenda.yaml --board local-shell  this machine through one persistent sh
        kelvin run agenda.yaml --exclusive          no other run on this machine meanwhile
        kelvin run agenda.yaml --board rock         on a board of bench.yaml, which is leased

      EXIT CODES
        0 all ok; 1 some job not ok; 2 bad input; 3 the run could not go on; 130, 143 signals
      """)

  @OptionGroup var agenda: AgendaOptions
  @OptionGroup var progress: ProgressOptions
  @OptionGroup var lease: LeaseOptions

  @Option(
    name: [.customShort("d"), .long],
    help: "The run directory; default: runs/<time>-<name of the agenda>.",
    completion: .directory)
  var directory: String?

  @Flag(
    name: [.customShort("f"), .long],
    help: "Replace the run directory if it holds an earlier run that is not going on.")
  var force = false

  @Option(
    help: """
      The board: its name in the bench file; local; or local-shell for this machine through one \
      persistent sh.
      """,
    completion: .list(BoardChoice.allCases.map(\.rawValue)))
  var board = BoardChoice.local.rawValue

  @OptionGroup var bench: BenchOptions

  @Flag(help: "Print the plan and end; the same as 'kelvin plan'.")
  var dryRun = false

  func run() async throws {
    let environment = CommandEnvironment.current
    let read = try readAgenda(environment)
    let plan = read.plan.withoutProvenance
    for warning in read.warnings { Terminal.standardError.line("\(warning)") }
    if dryRun {
      PlanCommand.print(read.plan)
      return
    }
    let board = try RunBoard.find(board, bench: bench, environment)
    try board.check(plan)
    let directory = try runDirectory(named: runName(plan))
    let runID = UUID().uuidString.lowercased()
    // Before any other thread exists.
    let control = RunControl(runID: runID)
    control.begin()
    ProcessLauncher.becomeSubreaper()
    let held = try await lease.take(
      board, run: runID, name: runName(plan), directory: directory,
      changesSettings: plan.changesSettings, control: control)
    try await held.during {
      // Not before the board is ours: a run that is refused has touched nothing.
      if force, holdsRun(directory) { try RunCatalog.remove(run: directory) }
      let store = try RunStore.create(
        at: directory,
        run: RunRecord(
          id: runID, name: runName(plan), kelvinVersion: KelvinVersion.text,
          commandLine: CommandLine.arguments, board: board.name,
          createdWallNanoseconds: MonotonicTime.wallNanoseconds,
          sources: read.sources.map { .init(path: $0.path, content: $0.content) },
          benchFiles: board.benchFiles),
        plan: plan, life: try LifeRecord.current())
      try await RunSession(
        runID: runID, directory: directory, plan: plan, board: board, store: store,
        pending: plan.jobs.indices.map { .init(position: $0) }, progress: progress,
        control: control
      ).carryOut(environment)
    }
  }

  private func readAgenda(_ environment: CommandEnvironment) throws -> Agenda {
    do {
      return try AgendaReader.read(
        agenda.request(board: board), declarations: environment.declarations)
    } catch {
      for diagnostic in error.diagnostics { Terminal.standardError.line("\(diagnostic)") }
      let count = error.diagnostics.count { $0.severity == .error }
      Terminal.standardError.line(
        "kelvin: \(count) mistake\(count == 1 ? "" : "s") in the agenda; nothing was run")
      throw CommandExit.badInput
    }
  }

  private func runName(_ plan: Plan) -> String {
    if let name = plan.settings.runName, !name.isEmpty { return name }
    let file = agenda.agenda.split(separator: "/").last ?? "run"
    return String(file.split(separator: ".").first ?? file)
  }

  private func holdsRun(_ directory: String) -> Bool { access(directory + "/run.db", F_OK) == 0 }

  /// The directory to be made: as asked for, or a new one below `runs`.
  private func runDirectory(named name: String) throws -> String {
    guard let directory else {
      let time = WallTime.text(nanoseconds: MonotonicTime.wallNanoseconds).prefix(19)
        .replacing(":", with: "-")
      let safe = String(name.map { $0.isLetter || $0.isNumber || $0 == "-" ? $0 : "_" })
      let path = "runs/\(time)-\(safe)"
      // Two runs may start within one second.
      var candidate = path
      var number = 2
      while access(candidate, F_OK) == 0 {
        candidate = "\(path)-\(number)"
        number += 1
      }
      return candidate
    }
    guard force || !holdsRun(directory) else {
      throw PlainFailure(
        .configuration, "\(directory): holds an earlier run",
        hint: "choose another directory with -d, or replace it with -f")
    }
    return directory
  }
}
