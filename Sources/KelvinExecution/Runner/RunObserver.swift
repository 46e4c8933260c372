public import KelvinModel
public import KelvinStore

/// Is told what happens in a run; cannot stop it. Called on the board's thread, so it must be quick.
public protocol RunObserver: Sendable {
  func observe(_ event: RunEvent)
}

/// What happens in a run.
public enum RunEvent: Sendable {
  /// Jobs that are still to run, of all in the plan.
  case runStarted(pending: Int, total: Int, board: String)
  case jobStarted(position: Int, spec: JobSpec, iteration: Int, attempt: Int)
  /// An attempt has entered a state of its life cycle.
  case stage(AttemptState, position: Int)
  /// An attempt is in the store; `jobOutcome` is nil when the job will be tried again.
  case attemptEnded(AttemptReport)
  /// The ladder of recovery has ended; the attempt in which the board was lost ends after it.
  case recovered(RecoveryReport)
  /// A health check of the board has ended; what was found then is in the store as events of the run.
  case checked(HealthCheckReport)
  /// Jobs that will not run, in the store as skipped.
  case jobsSkipped([Int], reason: String)
  case logged(EventRecord)
  /// All jobs have ended and are in the store; whoever derives files does it now.
  case processOutputs
  case runEnded(Outcome)
}

/// An attempt that has ended.
public struct AttemptReport: Sendable {
  public var position: Int
  /// Index into the plan's specs.
  public var specIndex: Int
  public var spec: JobSpec
  public var iteration: Int
  public var attempt: Int
  public var outcome: Outcome
  public var jobOutcome: Outcome?
  public var metrics: [Metric]
  /// False when the workload, a required instrument, or a file or program that it asked for is not to be
  /// had on this board: that it failed says nothing of the board's health.
  public var couldRun: Bool
  /// From its first stage to its last, in nanoseconds.
  public var duration: Int64
}

/// A health check that has ended.
public struct HealthCheckReport: Sendable {
  /// The workload that checked.
  public var workload: String
  /// Why: `at the start`, `after power_cycle`, `after 20 job(s)`.
  public var cause: String
  /// What was wrong; nil: the board passed.
  public var problem: String?
  /// In nanoseconds.
  public var duration: Int64
}

/// A board that was lost, and what was done about it.
public struct RecoveryReport: Sendable {
  /// The job in or before which it was lost; nil outside of jobs.
  public var position: Int?
  /// What was seen.
  public var finding: String
  /// What was tried, in order.
  public var steps: [RecoveryStep]
  /// Whether the board can be used again.
  public var isBack: Bool
  /// From the finding to the end, in nanoseconds.
  public var duration: Int64
}
