public import KelvinModel
public import KelvinStore
internal import Synchronization

/// Keeps the history of a board of a bench while a run goes on, and takes the board out when it fails too
/// often.
///
/// What jobs of milliseconds come to is written once a second, so that it costs them nothing; trouble is
/// written at once. A process that is killed leaves out what it had not written yet, at most a second of
/// the history; the run's own results miss nothing. What goes wrong with the bench database goes to
/// ``problem`` and stops no run.
public final class HealthObserver: RunObserver {
  private let board: BenchResource
  private let run: String
  private let rule: QuarantineRule?
  private let stateDirectory: String?
  private let quarantine: @Sendable (_ reason: String, _ evidence: String) -> Void

  private struct State {
    var store: BenchStore?
    /// Of the last attempts that say something of the board, the newest last; nil: not yet read.
    var recent: [Verdict]?
    var attempts: [BoardJobRecord] = []
    var recoveries: [RecoveryRecord] = []
    var checks: [HealthCheckRecord] = []
    var written = MonotonicTime.now
    /// Whether somebody has taken the board out already.
    var isOut = false
    var objection: String?
    var problem: String?
  }
  private let state = Mutex(State())

  /// So many attempts are written at once at the latest.
  private static let batch = 256
  /// Nanoseconds after which attempts are written that are not yet.
  private static let interval: Int64 = 1_000_000_000

  /// Creates an observer of one life of a run.
  ///
  /// - Parameters:
  ///   - run: the run's id.
  ///   - rule: when the board has failed too often; nil: never.
  ///   - stateDirectory: where the bench database is; nil: where ``StateDirectory`` says.
  ///   - quarantine: called at most once, when the rule is broken; takes the board out.
  public init(
    _ board: BenchResource, run: String, rule: QuarantineRule? = .standard,
    stateDirectory: String? = nil,
    quarantine: @escaping @Sendable (_ reason: String, _ evidence: String) -> Void
  ) {
    self.board = board
    self.run = run
    self.rule = rule
    self.stateDirectory = stateDirectory
    self.quarantine = quarantine
  }

  /// Why no further job may begin on the board; nil as long as one may.
  public var objection: String? { state.withLock { $0.objection } }

  /// What was wrong with the bench database when the history could not be kept, once.
  public var problem: String? { state.withLock { $0.problem } }

  public func observe(_ event: RunEvent) {
    switch event {
    case .attemptEnded(let report): note(report)
    case .recovered(let report):
      state.withLock { state in
        state.recoveries.append(record(report))
        if !report.isBack { state.isOut = true }
        write(&state)
      }
    case .checked(let report):
      state.withLock { state in
        state.checks.append(
          HealthCheckRecord(
            run: run, workload: report.workload, cause: report.cause, problem: report.problem,
            seconds: Double(report.duration) / 1e9))
        write(&state)
      }
    case .runEnded:
      state.withLock { state in
        write(&state)
        state.store?.close()
        state.store = nil
      }
    default: break
    }
  }

  private func note(_ report: AttemptReport) {
    let record = BoardJobRecord(
      run: run, job: report.position, attempt: report.attempt, outcome: report.outcome,
      isLast: report.jobOutcome != nil, couldRun: report.couldRun,
      seconds: Double(report.duration) / 1e9)
    let broken = state.withLock { state -> (reason: String, evidence: String)? in
      // Before the first one is written, so that none counts twice.
      let before = rule == nil ? [] : state.recent ?? earlier(&state)
      state.attempts.append(record)
      if record.isTrouble || state.attempts.count >= HealthObserver.batch
        || MonotonicTime.now - state.written >= HealthObserver.interval
      {
        write(&state)
      }
      guard let rule, report.couldRun, report.outcome.verdict != .aborted else {
        state.recent = before
        return nil
      }
      let recent = Array((before + [report.outcome.verdict]).suffix(rule.attempts))
      state.recent = recent
      // Only what is trouble itself is a reason, and only once.
      guard record.isTrouble, !state.isOut, rule.isBroken(by: recent) else { return nil }
      state.isOut = true
      let reason =
        "\(rule.troubles(in: recent)) of its last \(recent.count) attempts failed because of the "
        + "board or what is around it"
      state.objection = "\(board.name) is quarantined: \(reason)"
      return (reason, "run \(run), job \(report.position + 1): \(report.outcome.reason)")
    }
    if let broken { quarantine(broken.reason, broken.evidence) }
  }

  private func record(_ report: RecoveryReport) -> RecoveryRecord {
    RecoveryRecord(
      run: run, finding: report.finding,
      steps: report.steps.map {
        .init($0.rung.rawValue, seconds: $0.seconds, problem: $0.problem)
      }, isBack: report.isBack, seconds: Double(report.duration) / 1e9)
  }

  // MARK: The bench database

  private func earlier(_ state: inout State) -> [Verdict] {
    using(&state) { store in
      try store.recentVerdicts(of: board, limit: rule?.attempts ?? 0)
    } ?? []
  }

  private func write(_ state: inout State) {
    let (attempts, recoveries, checks) = (state.attempts, state.recoveries, state.checks)
    state.attempts = []
    state.recoveries = []
    state.checks = []
    state.written = .now
    guard !attempts.isEmpty || !recoveries.isEmpty || !checks.isEmpty else { return }
    using(&state) { try $0.note(attempts, recoveries, checks, of: board) }
  }

  @discardableResult
  private func using<T>(_ state: inout State, _ body: (BenchStore) throws -> T) -> T? {
    // Once is enough: a file system that hangs must not hold up each job.
    guard state.problem == nil else { return nil }
    do {
      let store =
        if let store = state.store { store } else {
          try BenchStore.open(directory: stateDirectory)
        }
      state.store = store
      return try body(store)
    } catch {
      state.problem =
        "the history of \(board.name) is not kept any more: \(PlainFailure(error).message)"
      return nil
    }
  }
}
