internal import Glibc
public import KelvinConnections
public import KelvinModel
public import KelvinStore
public import KelvinTargets
internal import Synchronization

/// One attempt at one job: what its workload and callbacks read and leave. Never shared between
/// attempts, so results cannot mix.
public final class JobContext: Sendable {
  public let run: RunContext
  public let spec: JobSpec
  /// Position in the plan, from 0; negative outside of the plan's jobs.
  public let position: Int
  /// From 1.
  public let iteration: Int
  /// From 1.
  public let attempt: Int
  /// Names the attempt in the store.
  public let attemptID: Int64
  /// Raised when the board is found to be lost: ends whatever waits for it.
  let alarm = Interrupt()

  struct State {
    var launch: Launch?
    var originalLaunch: Launch?
    var changes: [String: Value] = [:]
    var result: CommandResult?
    var window: Range<Int64>?
    /// By how much its ends may be off, where another clock than this machine's told them; in nanoseconds.
    var windowError: Int64 = 0
    var cpuInsideWindow: Int64 = 0
    /// Nanoseconds that start callbacks waited on purpose.
    var waited: Int64 = 0
    var metrics: [Metric] = []
    var artifacts: [Artifact] = []
    var events: [EventRecord] = []
    var fingerprint: [String: String] = [:]
    var partialReasons: [String] = []
    var requiredFailure: PlainFailure?
    /// Whether it failed since it asked for something that is not there: its own fault, and no sign that
    /// the board is sick.
    var askedInVain = false
    /// Whether bringing its image to the board was begun and came to nothing: that it boots, or is silent, is
    /// what came of it.
    var deploymentFailed = false
    var hasDirectory = false
    var deadline = Deadline.never
    var expectsReboot = false
  }
  let state: Mutex<State>
  /// Its directory, where it is no attempt at a job of the plan.
  private let folder: String?

  init(
    run: RunContext, spec: JobSpec, position: Int, iteration: Int, attempt: Int, attemptID: Int64,
    folder: String? = nil
  ) {
    self.run = run
    self.spec = spec
    self.position = position
    self.iteration = iteration
    self.attempt = attempt
    self.attemptID = attemptID
    self.folder = folder
    state = Mutex(State())
  }

  public var target: Target { run.target }

  /// Says that the workload itself boots the board: that is no failure of it then.
  public func expectReboot() { state.withLock { $0.expectsReboot = true } }
  var expectsReboot: Bool { state.withLock { $0.expectsReboot } }

  /// The deadline of the stage that is going on.
  public var deadline: Deadline {
    get { state.withLock { $0.deadline } }
    set { state.withLock { $0.deadline = newValue } }
  }

  /// How the workload's process will be started; set in setup, changed by callbacks.
  public var launch: Launch? {
    get { state.withLock { $0.launch } }
    set { state.withLock { $0.launch = newValue } }
  }

  /// How the workload's process ended and what it printed; nil before that.
  public var result: CommandResult? { state.withLock { $0.result } }

  /// The measured window on the monotonic clock: from the start of the workload's process to the
  /// moment its end was seen. Nil before that.
  public var window: Range<Int64>? { state.withLock { $0.window } }

  /// By how much both ends of ``window`` may be off, in nanoseconds, besides what it takes to notice them: of
  /// a detached job, whose times are the board's own.
  public var windowError: Int64 { state.withLock { $0.windowError } }

  /// Adds a result.
  public func add(_ metric: Metric) { state.withLock { $0.metrics.append(metric) } }

  /// Adds results.
  public func add(_ metrics: [Metric]) { state.withLock { $0.metrics += metrics } }

  /// Adds a record of a file in the attempt's directory.
  public func add(_ artifact: Artifact) { state.withLock { $0.artifacts.append(artifact) } }

  /// Adds names and values to the attempt's fingerprint.
  public func addFingerprint(_ values: [String: String]) {
    state.withLock { $0.fingerprint.merge(values) { _, new in new } }
  }

  /// Records something that happened to this attempt, and logs it.
  public func record(_ level: EventRecord.Level, source: String, _ message: String) {
    state.withLock { $0.events.append(EventRecord(level, source: source, message)) }
    run.log.log(level, source: source, "\(name): \(message)")
  }

  /// Marks the attempt as partial: the workload is right, something beside it is not.
  public func markPartial(_ reason: String) { state.withLock { $0.partialReasons.append(reason) } }

  /// What messages call the attempt: `wk1 iteration 2` (and `attempt 2` from the second on).
  public var name: String {
    if position < 0, folder != nil { return "health check \(iteration)" }
    var name = "job \(position + 1) (\(spec.id), \(spec.label), iteration \(iteration)"
    if attempt > 1 { name += ", attempt \(attempt)" }
    return name + ")"
  }

  /// The attempt's directory relative to the run directory; it may not exist yet.
  public var relativeDirectory: String {
    if let folder { return folder }
    let number = String(position + 1)
    let padding = String(repeating: "0", count: max(0, 4 - number.count))
    let label = String(spec.label.prefix(40).map { JobContext.isSafe($0) ? $0 : "_" })
    return "jobs/\(padding)\(number)-\(label)-\(iteration)/attempt-\(attempt)"
  }

  private static func isSafe(_ character: Character) -> Bool {
    character.isASCII && (character.isLetter || character.isNumber || "_-.+".contains(character))
  }

  /// The attempt's directory on the host, made when it is first asked for.
  ///
  /// - Throws: when it cannot be made.
  public func directory() throws(PlainFailure) -> String {
    let path = run.directory + "/" + relativeDirectory
    if state.withLock({ $0.hasDirectory }) { return path }
    try HostFile.makeDirectories(path)
    state.withLock { $0.hasDirectory = true }
    return path
  }

  /// Writes a file into the attempt's directory and records it as an artifact.
  public func write(
    _ bytes: [UInt8], to fileName: String, kind: Artifact.Kind, description: String,
    source: String
  ) throws(PlainFailure) {
    let path = try directory() + "/" + fileName
    try HostFile.write(bytes, to: path)
    add(
      Artifact(
        name: fileName, path: relativeDirectory + "/" + fileName, kind: kind,
        description: description, source: source))
  }
}
