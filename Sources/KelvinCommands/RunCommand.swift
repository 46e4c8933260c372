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
        kelvin run agenda.yaml --meter 'command: {shell: ./tool, columns: [power], channels: {power: W}, rate: 10}'
        kelvin run agenda.yaml --board rock         on a board of bench.yaml, which is leased
        kelvin run agenda.yaml --board rock --board pi   on pi as soon as nothing brings rock back

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
    name: .customLong("board"), parsing: .singleValue,
    help: """
      The board: its name in the bench file; local; or local-shell for this machine through one \
      persistent sh; default: local. When it is lost, or is not there, the run goes on with the next one \
      that is named: what it had not finished is tried again there.
      """,
    completion: .list(BoardChoice.allCases.map(\.rawValue)))
  var boards: [String] = []

  @OptionGroup var bench: BenchOptions

  @Option(
    name: .customLong("meter"), parsing: .singleValue,
    help: """
      A meter of the board that no bench file names, as YAML: 'DRIVER: {OPTION: VALUE}' or \
      'NAME: {driver: DRIVER, ...}'; may be repeated. The energy instrument measures with it.
      """)
  var meters: [String] = []

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
    let boards = try names.map { try RunBoard.find($0, bench: bench, meters: meters, environment) }
    for board in boards { try board.check(plan) }
    let directory = try runDirectory(named: runName(plan))
    let runID = UUID().uuidString.lowercased()
    // Before any other thread exists.
    let control = RunControl(runID: runID)
    control.begin()
    ProcessLauncher.becomeSubreaper()
    var life = Life(runID: runID, directory: directory, plan: plan, sources: read.sources)
    for (index, board) in boards.enumerated() {
      life.other = index + 1 < boards.count ? boards[index + 1].name : nil
      if try await carryOut(&life, on: board, control, environment) { return }
    }
    Terminal.standardError.line("kelvin: no other board can be had")
    if life.hasBegun {
      Terminal.standardError.line("kelvin: continue with: kelvin resume \(directory)")
    }
    throw CommandExit.cannotGoOn
  }

  /// A run as it goes from board to board.
  private struct Life {
    let runID: String
    let directory: String
    let plan: Plan
    let sources: [Agenda.Source]
    var hasBegun = false
    /// The board that is next.
    var other: String?
  }

  /// Begins the run, or goes on with it as a resume does, on one board.
  ///
  /// - Returns: false when another one is to go on: this one is lost, or cannot be had.
  private func carryOut(
    _ life: inout Life, on board: RunBoard, _ control: RunControl,
    _ environment: CommandEnvironment
  ) async throws -> Bool {
    let plan = life.plan
    let held: HeldBoards
    do {
      held = try await lease.take(
        board, run: life.runID, name: runName(plan), directory: life.directory,
        changesSettings: plan.changesSettings, control: control)
    } catch let refusal as LeaseRefusal where boards.count > 1 {
      Terminal.standardError.line("kelvin: \(PlainFailure(refusal))")
      return false
    }
    var isOver = false
    try await held.during {
      let store = try life.hasBegun ? resumed(life, on: board) : created(life, on: board)
      life.hasBegun = true
      isOver = try await RunSession(
        runID: life.runID, directory: life.directory, plan: plan, board: board, store: store,
        pending: try store.reopenStoppedJobs().map { .init($0) }, progress: progress,
        control: control, lease: held.lease, other: life.other
      ).carryOut(environment)
    }
    return isOver
  }

  private func created(_ life: Life, on board: RunBoard) throws -> RunStore {
    // Not before the board is ours: a run that is refused has touched nothing.
    if force, holdsRun(life.directory) { try RunCatalog.remove(run: life.directory) }
    return try RunStore.create(
      at: life.directory,
      run: RunRecord(
        id: life.runID, name: runName(life.plan), kelvinVersion: KelvinVersion.text,
        commandLine: CommandLine.arguments, board: board.name,
        createdWallNanoseconds: MonotonicTime.wallNanoseconds,
        sources: life.sources.map { .init(path: $0.path, content: $0.content) },
        benchFiles: board.benchFiles),
      plan: life.plan, life: try LifeRecord.current())
  }

  private func resumed(_ life: Life, on board: RunBoard) throws -> RunStore {
    let store = try RunStore.resume(at: life.directory, life: try LifeRecord.current())
    try store.setBoard(board.name, benchFiles: board.benchFiles)
    return store
  }

  /// The boards by name, the first one to begin with.
  private var names: [String] {
    get throws(PlainFailure) {
      if let twice = boards.first(where: { name in boards.count { $0 == name } > 1 }) {
        throw PlainFailure(.configuration, "--board \(twice): named twice")
      }
      return boards.isEmpty ? [BoardChoice.local.rawValue] : boards
    }
  }

  private func readAgenda(_ environment: CommandEnvironment) throws -> Agenda {
    do {
      return try AgendaReader.read(
        agenda.request(board: boards.first ?? BoardChoice.local.rawValue),
        declarations: environment.declarations)
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
