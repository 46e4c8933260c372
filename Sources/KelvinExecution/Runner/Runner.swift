internal import KelvinConnections
public import KelvinModel
public import KelvinStore
public import KelvinTargets

/// What a runner needs to carry out a plan on one board.
public struct RunRequest: Sendable {
  public var id: String
  public var directory: String
  public var plan: Plan
  public var registry: Registry
  public var store: RunStore
  public var log: RunLog
  public var target: Target
  /// Jobs still to run, by position, in the order of execution.
  public var pending: [PendingJob]
  public var observers: [any RunObserver]
  /// Raised to stop the run; the attempt that is running is aborted, the others are skipped.
  public var stop: Interrupt
  /// What raised ``stop``, for the record: `SIGINT`.
  public var stopReason: @Sendable () -> String
  /// Where the owner of ports keeps what the board's console says; nil when the run holds none.
  public var consoleLog: String?
  /// What takes the board's link away while a detached job runs.
  public var link: BoardLink
  /// The board's settings; nil where no job of the run has any, and nothing is to be put back.
  public var settings: DeviceSettings?
  /// How the board is watched while a job's workload runs; nil: not at all.
  public var watch: BoardWatch.Options?
  /// How it is reached, to ask its network when it is suspected.
  public var connectionChoice: DriverChoice?
  /// What brings the board back.
  public var equipment: BoardEquipment
  /// What images are deployed with; nil where no job of the run needs any, and none is left there.
  public var deploy: DeployEquipment?
  /// Told, with the reason, when nothing does.
  public var isLost: @Sendable (String) -> Void
  /// Whether the run goes on with another board when this one is lost: jobs that had not come to a good
  /// end then keep no verdict.
  public var hasOther = false
  /// Asked before each job: why neither it nor any other may begin; nil when it may.
  public var objection: @Sendable () -> String?

  /// A job that has no verdict yet.
  public struct PendingJob: Sendable, Hashable {
    public var position: Int
    /// Attempts on record, for the next one's number.
    public var attempts: Int
    /// Attempts that count against `max_retries`: those not cut off by the death of Kelvin.
    public var countedAttempts: Int

    /// A job as the store has it.
    public init(_ record: PendingJobRecord) {
      self.init(
        position: record.position, attempts: record.attempts,
        countedAttempts: record.countedAttempts)
    }

    /// Creates a pending job.
    public init(position: Int, attempts: Int = 0, countedAttempts: Int = 0) {
      self.position = position
      self.attempts = attempts
      self.countedAttempts = countedAttempts
    }
  }

  /// Creates a request.
  public init(
    id: String, directory: String, plan: Plan, registry: Registry, store: RunStore, log: RunLog,
    target: Target, pending: [PendingJob], observers: [any RunObserver], stop: Interrupt,
    stopReason: @escaping @Sendable () -> String, consoleLog: String? = nil,
    link: BoardLink = .quiet, settings: DeviceSettings? = nil,
    watch: BoardWatch.Options? = nil, connectionChoice: DriverChoice? = nil,
    equipment: BoardEquipment = BoardEquipment(), deploy: DeployEquipment? = nil,
    isLost: @escaping @Sendable (String) -> Void = { _ in },
    objection: @escaping @Sendable () -> String? = { nil }
  ) {
    self.id = id
    self.directory = directory
    self.plan = plan
    self.registry = registry
    self.store = store
    self.log = log
    self.target = target
    self.pending = pending
    self.observers = observers
    self.stop = stop
    self.stopReason = stopReason
    self.consoleLog = consoleLog
    self.link = link
    self.settings = settings
    self.watch = watch
    self.connectionChoice = connectionChoice
    self.equipment = equipment
    self.deploy = deploy
    self.isLost = isLost
    self.objection = objection
  }
}

/// Takes the jobs of a plan through their life cycle on one board, on the board's own thread.
///
/// Run: initialize, job queue, finalize. Job: setup, run, extract results, teardown (`Runner+Job`).
public actor Runner {
  let thread: BoardThread
  let request: RunRequest
  let run: RunContext

  var state = RunState.new
  /// In listing order; those with nothing to measure are left out.
  var instruments: [Attached] = []
  /// Why an instrument that is enabled somewhere is not there: marks its jobs.
  var unavailable: [String: String] = [:]
  /// Required instruments among the unavailable ones: their jobs fail.
  var requiredMissing: Set<String> = []
  /// By spec index.
  var workloads: [Int: any Workload] = [:]
  /// Why a spec's workload could not be initialized, by spec index.
  var unusable: [Int: PlainFailure] = [:]
  /// What initialization found out about a spec's workload, for each job's fingerprint.
  var fingerprints: [Int: [String: String]] = [:]
  /// Equal fingerprints as one value, so that they share their storage.
  var knownFingerprints: [[String: String]: [String: String]] = [:]
  var tally = Tally()
  /// Whether any job of the run has begun, in this life or an earlier one.
  var hasBegun = false
  /// Of the job before, to tell when another spec starts.
  var lastSpec: Int?
  /// Set when no further job may begin: the reason.
  var bailReason: String?
  /// Whether it was set since the board is of no use any more.
  var hasLostBoard = false
  /// What the watch of the attempt that goes on, or went last, found to be the end of the board.
  var lossOfBoard: Finding?
  /// Jobs begun since the last health check; nil: none was due yet in this life.
  var jobsSinceCheck: Int?
  /// Health checks in this life.
  var checks = 0
  /// Whether the last one failed since it asked for what is not there: no sign that the board is sick.
  var isInVain = false
  /// Which boot the board was in when it was last looked at.
  var boot: BootState?
  /// The board's own way to be asked whether it lives, kept from job to job; nil inside where there is
  /// none.
  var pulse: (any Pulse)??
  /// The images of deployments, as they were when they were first needed.
  var deployImages: [Deployment: DeployImages] = [:]
  /// Facts of the target for each job's fingerprint.
  var targetFingerprint: [String: String] = [:]

  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    thread.asUnownedSerialExecutor()
  }

  /// Creates a runner; ``start()`` does the work.
  public init(_ request: RunRequest) {
    thread = BoardThread(name: "board-\(request.target.name)")
    self.request = request
    hasBegun =
      request.pending.count < request.plan.jobs.count
      || request.pending.contains { $0.attempts > 0 }
    run = RunContext(
      id: request.id, directory: request.directory, settings: request.plan.settings,
      target: request.target, store: request.store, log: request.log, stop: request.stop,
      consoleLog: request.consoleLog, link: request.link, equipment: request.equipment)
  }

  /// Carries out the pending jobs.
  ///
  /// - Returns: the run's outcome; also when the run could not go on (`failed`, with the reason).
  /// - Throws: ``StoreFailure`` when results could not be kept: everything in the store so far is
  ///   whole, and the run can be resumed.
  public func start() async throws -> Outcome {
    tell(
      .runStarted(
        pending: request.pending.count, total: request.plan.jobs.count, board: run.target.name))
    do {
      for verdict in try run.store.verdicts() { tally.count(verdict) }
      try await carryOut()
    } catch {
      // The store is gone or full: nothing more can be kept, so nothing more is begun.
      await releaseTarget()
      throw error
    }
    let outcome = tally.outcome(bailReason: bailReason, isStopped: run.stop.isRaised)
    try state.take(.end)
    try run.store.setRunState(.ended, outcome: outcome)
    tell(.runEnded(outcome))
    return outcome
  }

  private func carryOut() async throws {
    try run.store.setRunState(.running, outcome: nil)
    var rest = request.pending[...]
    let isInitialized = await initialize()
    if isInitialized, !run.stop.isRaised {
      try state.take(.begin)
      try await wrap(.jobQueueExecution) {
        while let next = rest.first, bailReason == nil, !run.stop.isRaised {
          bailReason = request.objection()
          guard bailReason == nil else {
            hasLostBoard = true
            break
          }
          bailReason = await checkIfDue()
          guard bailReason == nil, !run.stop.isRaised else { break }
          rest = rest.dropFirst()
          try await runJob(next, next: rest.first)
        }
      }.rethrowStoreFailure()
    }
    if run.stop.isRaised || bailReason != nil {
      if state != .stopping { try state.take(.stop) }
      try run.store.setRunState(.stopping, outcome: nil)
    }
    if !goesOnElsewhere { try skip(rest) }
    await finalize()
    await restoreSettings()
    await restoreImage()
    if request.plan.settings.rebootPolicy == .runCompletion, bailReason == nil, !run.stop.isRaised {
      do { try await reboot("reboot_policy is run_completion") } catch {
        run.log.log(.error, source: "runner", "\(PlainFailure(error))")
      }
    }
    await wrap(.runOutputProcessing) { tell(.processOutputs) }.ignore()
    await releaseTarget()
  }

  /// Whether the board is lost, and what is left is for the one that the run goes on with.
  public var goesOnElsewhere: Bool { hasLostBoard && request.hasOther && !run.stop.isRaised }

  private func skip(_ rest: ArraySlice<RunRequest.PendingJob>) throws {
    guard !rest.isEmpty else { return }
    let reason =
      run.stop.isRaised
      ? "the run was stopped by \(request.stopReason())"
      : bailReason ?? "the run ended before this job"
    try run.store.finishJobs(
      rest.map { ($0.position, Outcome(.skipped, reason)) })
    tally.skipped += rest.count
    tell(.jobsSkipped(rest.map(\.position), reason: reason))
  }

  private func releaseTarget() async {
    await wrap(.targetDisconnect) {
      await run.target.disconnect(until: .after(seconds: 10))
    }.ignore()
  }

  /// An instrument of this run and its callbacks.
  struct Attached {
    let name: String
    let instrument: any Instrument
    let isRequired: Bool
    let tokens: [Dispatcher.Token]
  }

  func tell(_ event: RunEvent) {
    for observer in request.observers { observer.observe(event) }
  }
}

/// Counts verdicts.
struct Tally {
  var ok = 0
  var partial = 0
  var failed = 0
  var aborted = 0
  var skipped = 0

  mutating func count(_ verdict: Verdict) {
    switch verdict {
    case .ok: ok += 1
    case .partial: partial += 1
    case .failed: failed += 1
    case .aborted: aborted += 1
    case .skipped: skipped += 1
    }
  }

  /// The run's outcome: ok only if every job is.
  func outcome(bailReason: String?, isStopped: Bool) -> Outcome {
    if isStopped { return Outcome(.aborted, "\(aborted) job(s) aborted, \(skipped) skipped") }
    if let bailReason { return Outcome(.failed(.target), bailReason) }
    let notOK = partial + failed + aborted + skipped
    if notOK == 0 { return .ok }
    let counts = [
      (failed, "failed"), (partial, "partial"), (aborted, "aborted"), (skipped, "skipped")
    ]
    .filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    return Outcome(
      ok == 0 && partial == 0 ? .failed(.workload) : .partial,
      "\(counts) of \(notOK + ok) job(s)")
  }
}
