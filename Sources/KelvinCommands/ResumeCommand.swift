internal import ArgumentParser
internal import KelvinConnections
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore
internal import KelvinSystem
internal import KelvinTargets

/// `kelvin resume`: continues a run that was killed, interrupted, or could not go on.
struct ResumeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume",
    abstract: "Continues a run that was killed, stopped, or could not go on.",
    discussion: """
      Ends what the dead process left running, records the attempt that was cut off as aborted (it \
      does not count against max_retries), and runs every job that has no verdict yet, as well as \
      those that were aborted or skipped when the run was stopped.

      A board of a bench is found by the bench files that the run used, wherever this is called \
      from; --bench names another.

      EXAMPLES
        kelvin resume runs/2026-11-21T10-02-33-governors
        kelvin resume runs/2026-11-21T10-02-33-governors --take-over   from a host that is gone
      """)

  @Argument(help: "The run directory.", completion: .directory)
  var directory: String

  @OptionGroup var progress: ProgressOptions
  @OptionGroup var lease: LeaseOptions
  @OptionGroup var bench: BenchOptions

  func run() async throws {
    let environment = CommandEnvironment.current
    let reader = try RunReader(directory: directory)
    let record = try reader.run().record
    let board = try RunBoard.find(
      record.board, bench: bench, remembered: record.benchFiles,
      meters: MeterText.declarations(in: record.commandLine), environment)
    let control = RunControl(runID: record.id)
    control.begin()
    ProcessLauncher.becomeSubreaper()
    let store = try RunStore.resume(at: directory, life: try LifeRecord.current())
    defer { store.close() }
    // Taken also when nothing is left to run: a killed life may have left the board leased.
    let held = try await lease.take(
      board, run: record.id, name: record.name, directory: directory,
      wasExclusive: record.commandLine.contains("--exclusive"),
      changesSettings: try reader.plan().changesSettings, control: control)
    try await held.during {
      try await endSurvivors(of: record.id, on: board, in: store)
      let jobs = try store.reopenStoppedJobs()
      guard !jobs.isEmpty else {
        if board.hasLeftSettings() {
          try await board.withSettings(run: record.id) { settings in
            _ = try await settings.restore(until: .after(seconds: 120))
          }
        }
        Terminal.standardOutput.line(
          "\(directory): every job has its verdict; nothing to resume")
        return
      }
      try await RunSession(
        runID: record.id, directory: directory, plan: try reader.plan(), board: board,
        store: store,
        pending: jobs.map { .init($0) },
        progress: progress, control: control, lease: held.lease
      ).carryOut(environment)
    }
  }

  /// Ends every process of the dead life, then gives its open attempts their verdict.
  private func endSurvivors(
    of runID: String, on board: RunBoard, in store: RunStore
  ) async throws {
    let open = try store.openAttempts()
    let connection = try board.connection([:])
    if connection.capabilities.isThisMachine {
      try endSurvivorsHere(of: runID, open, in: store)
    } else {
      // Their process ids mean something on the board alone.
      try await endSurvivors(of: runID, on: board, by: connection, in: store)
    }
    for attempt in open {
      try store.finishAttempt(
        attempt.id,
        AttemptResult(Outcome(.aborted, "the process that ran it died")), jobOutcome: nil)
    }
  }

  private func endSurvivors(
    of runID: String, on board: RunBoard, by connection: any Connection, in store: RunStore
  ) async throws {
    let text: String
    do {
      let count = try await BoardSeat(board.name).run {
        do {
          // What was detached may still run where nobody can see it.
          try await board.link.bringBack(connection, until: .after(seconds: 60))
          let count = try await connection.endProcesses(
            withEnvironment: "KELVIN_RUN=\(runID)", grace: 2, until: .after(seconds: 30))
          await connection.close()
          return count
        } catch {
          await connection.close()
          throw error
        }
      }
      guard count > 0 else { return }
      text =
        "\(count) process\(count == 1 ? "" : "es") on the board, left running by the life before, "
        + "\(count == 1 ? "was" : "were") ended"
    } catch {
      text =
        "what the life before may have left running on the board could not be ended: "
        + "\(PlainFailure(error))"
      Terminal.standardError.line("kelvin: warning: \(text)")
    }
    try store.record(EventRecord(.warning, source: "resume", text), attempt: nil)
  }

  private func endSurvivorsHere(
    of runID: String, _ open: [AttemptRecord], in store: RunStore
  ) throws {
    let ended = SurvivorHunter.endProcesses(
      withEnvironment: "KELVIN_RUN=\(runID)",
      alsoIdentities: open.compactMap { attempt in
        guard let processID = attempt.processID, let startTicks = attempt.startTicks else {
          return nil
        }
        return ProcessIdentity(processID: processID, startTicks: startTicks)
      }, grace: 2, until: .after(seconds: 15))
    for process in ended {
      try store.record(
        EventRecord(
          .warning, source: "resume",
          "process \(process.processID), left running by the life before, was ended"),
        attempt: nil)
    }
  }
}
