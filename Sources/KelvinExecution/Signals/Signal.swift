/// A point in the life of a run, job or target that callbacks attach to.
public enum Signal: Hashable, Sendable {
  case before(Phase)
  case successful(Phase)
  /// Sent whenever `before` was sent, whatever happened in between.
  case after(Phase)
  case moment(Moment)

  /// Signals that are no part of a triplet.
  public enum Moment: String, Sendable, Hashable, CaseIterable {
    case runStarted = "run-started"
    case runInitialized = "run-initialized"
    case runCompleted = "run-completed"
    case runFailed = "run-failed"
    case runAborted = "run-aborted"
    case runFinalized = "run-finalized"
    case jobStarted = "job-started"
    case jobRestarted = "job-restarted"
    case jobCompleted = "job-completed"
    case jobFailed = "job-failed"
    case jobAborted = "job-aborted"
    /// WA2: a spec's first job is about to start, its last one has ended.
    case specStarted = "workload-spec-start"
    case specEnded = "workload-spec-end"
    /// WA2: before `specStarted` and `iterationStarted`.
    case specInitialized = "spec-init"
    case iterationInitialized = "iteration-init"
    case iterationStarted = "iteration-start"
    case iterationEnded = "iteration-end"
    case errorLogged = "error-logged"
    case warningLogged = "warning-logged"
  }

  /// `before-workload-setup`, `run-started`.
  public var name: String {
    switch self {
    case .before(let phase): "before-" + phase.rawValue
    case .successful(let phase): "successful-" + phase.rawValue
    case .after(let phase): "after-" + phase.rawValue
    case .moment(let moment): moment.rawValue
    }
  }

  /// Whether the fastest callback is called last, so that it hugs what follows: `before` signals,
  /// and WA2's starts.
  public var invertsPriority: Bool {
    switch self {
    case .before: true
    case .moment(.specStarted), .moment(.iterationStarted): true
    default: false
    }
  }

  /// All signals; each one's place is its ``index``.
  public static let all: [Signal] =
    Phase.allCases.flatMap { [.before($0), .successful($0), .after($0)] }
    + Moment.allCases.map(Signal.moment)

  /// A number from 0 to `all.count - 1`.
  var index: Int {
    switch self {
    case .before(let phase): Signal.phaseIndex(phase) * 3
    case .successful(let phase): Signal.phaseIndex(phase) * 3 + 1
    case .after(let phase): Signal.phaseIndex(phase) * 3 + 2
    case .moment(let moment): Signal.momentBase + Signal.momentIndex(moment)
    }
  }

  private static let momentBase = Phase.allCases.count * 3
  private static let phaseIndices = Dictionary(
    uniqueKeysWithValues: Phase.allCases.enumerated().map { ($1, $0) })
  private static let momentIndices = Dictionary(
    uniqueKeysWithValues: Moment.allCases.enumerated().map { ($1, $0) })
  private static func phaseIndex(_ phase: Phase) -> Int { phaseIndices[phase] ?? 0 }
  private static func momentIndex(_ moment: Moment) -> Int { momentIndices[moment] ?? 0 }
}
