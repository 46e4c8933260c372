internal import Glibc
internal import KelvinAgenda
internal import KelvinConnections
internal import KelvinExecution
internal import KelvinModel
internal import KelvinOutputs
internal import KelvinStore
internal import KelvinTargets

/// One life of a run: what `run` and `resume` have in common, from an open store to the exit code.
struct RunSession {
  let runID: String
  let directory: String
  let plan: Plan
  let board: RunBoard
  let store: RunStore
  let pending: [RunRequest.PendingJob]
  let progress: ProgressOptions
  let control: RunControl
  /// What the board is held by; nil: it is shared.
  var lease: BoardLease?
  /// What goes on with the run when the board is lost; nil: nothing does.
  var other: String?

  /// Carries out the pending jobs, derives the outputs and prints the summary.
  ///
  /// - Returns: whether that is the end: false when the board was lost and another one goes on.
  /// - Throws: ``CommandExit`` with the code of DESIGN 5a.
  @discardableResult
  func carryOut(_ environment: CommandEnvironment) async throws -> Bool {
    let printer = ProgressPrinter(
      terminal: .standardError, format: progress.format, level: progress.level,
      endedBefore: plan.jobs.count - pending.count)
    let log = try RunLog(directory: directory) { printer.observe(.logged($0)) }
    let outputs = OutputObserver(
      OutputChain(try processors(environment)), directory: directory, store: store)
    let target = Target(
      name: board.name, connection: try board.connection(["KELVIN_RUN": runID]), runID: runID)
    let console = board.console.flatMap {
      RunConsole.begin(board.name, $0, directory: directory, interrupt: control.stop)
    }
    let settings =
      plan.changesSettings || board.hasLeftSettings()
      ? try board.settings(of: target, run: runID) : nil
    let health = board.healthObserver(run: runID, rule: plan.settings.quarantine)
    var equipment = board.equipment
    if let lease, let resource = board.resources.first?.resource {
      equipment.outage = OutageJournal(
        begin: { [runID] in
          try await lease.switchingOff(resource, reason: "\($0) in run \(runID)")
        }, end: { try await lease.switched(resource) })
    }
    equipment.supply = board.entry?.supply.map {
      BoardSupply(
        $0, of: board.name, meters: equipment.meters, through: target.connection)
    }
    // A console of this name that could not be held may be another board's.
    if console == nil {
      equipment.sysRq = nil
      if case .uboot? = equipment.bootLoader { equipment.bootLoader = nil }
    }
    var request = RunRequest(
      id: runID, directory: directory, plan: plan, registry: environment.registry, store: store,
      log: log, target: target, pending: pending,
      observers: [printer, outputs] + (health.map { [$0] } ?? []),
      stop: control.stop, stopReason: { [control] in control.reason },
      consoleLog: console?.logDirectory, link: board.link, settings: settings,
      watch: board.watch,
      connectionChoice: board.connectionChoice, equipment: equipment,
      deploy: try board.deployEquipment(for: plan),
      isLost: { board.quarantine(reason: $0) }, objection: { health?.objection })
    request.hasOther = other != nil
    let runner = Runner(request)
    let outcome: Outcome
    do {
      outcome = try await runner.start()
      console?.end()
    } catch {
      console?.end()
      let end = RunEvent.runEnded(Outcome(.failed(.infrastructure), "\(PlainFailure(error))"))
      printer.observe(end)
      health?.observe(end)
      Terminal.standardError.line("kelvin: \(PlainFailure(error))")
      Terminal.standardError.line(
        "kelvin: results so far are kept; continue with: kelvin resume \(directory)")
      store.close()
      throw CommandExit.cannotGoOn
    }
    if let settings, settings.isChanged { board.quarantine(after: runID) }
    try store.checkpoint()
    store.close()
    if let problem = health?.problem { Terminal.standardError.line("kelvin: warning: \(problem)") }
    for problem in outputs.problems { Terminal.standardError.line("kelvin: \(problem)") }
    if let other, await runner.goesOnElsewhere {
      Terminal.standardError.line("kelvin: \(outcome.reason); the run goes on with \(other)")
      return false
    }
    if progress.level != .quiet, progress.format == .text { try printSummary() }
    try exit(for: outcome, outputsFailed: !outputs.problems.isEmpty)
    return true
  }

  private func processors(_ environment: CommandEnvironment) throws -> [any OutputProcessor] {
    let wanted = Set(plan.specs.flatMap(\.augmentations))
    return try environment.outputs.filter { wanted.contains($0.declaration.name) }.map { type in
      let name = type.declaration.name
      return try type.init(settings: plan.settings.augmentations[name] ?? [:])
    }
  }

  private func printSummary() throws {
    let reader = try RunReader(directory: directory)
    Terminal.standardOutput.line(
      try SummaryTable.render(run: reader, columns: Terminal.standardOutput.columns))
    Terminal.standardOutput.line("results in \(directory)")
  }

  private func exit(for outcome: Outcome, outputsFailed: Bool) throws {
    if let code = control.exitCode { throw CommandExit(code: code) }
    switch outcome.verdict {
    case .ok: if outputsFailed { throw CommandExit.jobNotOK }
    case .failed where outcome.reason.hasPrefix("initialization failed"):
      Terminal.standardError.line("kelvin: \(outcome.reason)")
      throw CommandExit.cannotGoOn
    default: throw CommandExit.jobNotOK
    }
  }
}

/// This machine as a board, which needs no bench file, and how it is reached.
enum BoardChoice: String, CaseIterable, Sendable {
  /// This machine, by direct system calls.
  case local
  /// This machine, through one persistent `sh` on pipes.
  case localShell = "local-shell"

  /// A new connection, which adds to the environment of every command.
  func connection(environment: [String: String]) -> any Connection {
    switch self {
    case .local: LocalConnection(environment: environment)
    case .localShell: ShellConnection(environment: environment)
    }
  }
}
