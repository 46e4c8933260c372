import KelvinConnections
import KelvinModel
import KelvinStore
import KelvinTargets
import Testing

@testable import KelvinExecution

/// The ways to this machine.
enum Way: CaseIterable {
  case direct, shell

  var connection: any Connection {
    switch self {
    case .direct: LocalConnection()
    case .shell: ShellConnection()
    }
  }
}

/// Runs jobs with instruments for real: the runner, a store on disk, a target behind a connection.
struct InstrumentBench {
  /// What a run left.
  struct Record: Sendable {
    var outcome: Outcome
    /// By job, of the last attempt each.
    var jobs: [Job]
    var log: String
    let directory: TemporaryDirectory

    struct Job: Sendable {
      var outcome: Outcome
      var attempt: AttemptRecord
      var metrics: [Metric]
      var artifacts: [Artifact]
      var events: [EventRecord]
      var fingerprint: [String: String]
      var captures: [CaptureRecord]
    }

    /// Reads an artifact's bytes.
    func content(_ artifact: Artifact) throws -> [UInt8] {
      try HostFile.read(directory.path + "/run/" + artifact.path)
    }
  }

  var connection: any Connection
  var settings: [String: [String: Value]] = [:]
  var iterations = 1
  var retries = 0
  /// What the workload's process is; nil for a workload without one.
  var argv: [String]? = ["true"]
  /// Where the console's log is; nil: the board has none.
  var consoleLog: String?
  /// What the board has besides.
  var equipment = BoardEquipment()
  /// Raised to stop the run.
  var stop = Interrupt()
  /// Where the jobs run while their link is away.
  var detached: DetachedLink?
  /// Of the measured stage, in seconds.
  var runTimeout: Double?
  /// Specs, which differ in their names alone.
  var specs = 1
  /// Runs inside the measured window, after the process.
  var during: @Sendable (JobContext) async throws -> Void = { _ in }

  init(_ connection: any Connection) { self.connection = connection }

  /// Runs the plan with these instruments, in this order.
  func run(_ instruments: [any Instrument.Type]) async throws -> Record {
    let directory = try TemporaryDirectory()
    let names = instruments.map { $0.declaration.name }
    var runSettings = RunSettings(maxRetries: retries)
    for type in instruments {
      let declaration = type.declaration
      runSettings.augmentations[declaration.name] =
        (declaration.options + Registry.commonInstrumentOptions)
        .withDefaults(settings[declaration.name] ?? [:])
    }
    var timeouts = StageTimeouts()
    if let runTimeout { timeouts.run = runTimeout }
    let specs = (0..<specs).map { index in
      var spec = JobSpec(
        id: "wk\(index + 1)", label: "test", workload: "test", augmentations: names,
        iterations: iterations, timeouts: timeouts)
      spec.detached = detached
      return spec
    }
    let plan = Plan(
      settings: runSettings, specs: specs,
      jobs: specs.indices.flatMap { spec in
        (1...iterations).map { PlannedJob(spec: spec, iteration: $0) }
      })
    let path = directory.path + "/run"
    let store = try RunStore.create(
      at: path,
      run: RunRecord(
        id: "test-\(MonotonicTime.now.nanoseconds)", name: "test", kelvinVersion: "0",
        commandLine: [], board: "test", createdWallNanoseconds: MonotonicTime.wallNanoseconds,
        sources: []), plan: plan, life: .current())
    let workload = WorkloadType(Declaration(.workload, "test", summary: "Test.")) { [self] _ in
      TestWorkload(argv: argv, during: during)
    }
    let runner = Runner(
      RunRequest(
        id: "test-\(MonotonicTime.now.nanoseconds)", directory: path, plan: plan,
        registry: Registry(workloads: [workload], instruments: instruments), store: store,
        log: try RunLog(directory: path) { _ in },
        target: Target(name: "test", connection: connection, runID: "\(directory.path.suffix(6))"),
        pending: plan.jobs.indices.map { RunRequest.PendingJob(position: $0) }, observers: [],
        stop: stop, stopReason: { "a test" },
        consoleLog: consoleLog, equipment: equipment))
    let outcome = try await runner.start()
    let reader = try RunReader(directory: path)
    var jobs: [Record.Job] = []
    for job in try reader.jobs() {
      guard let outcome = job.outcome, let attempt = try reader.lastAttempt(ofJob: job.position)
      else { continue }
      jobs.append(
        Record.Job(
          outcome: outcome, attempt: attempt, metrics: try reader.metrics(ofAttempt: attempt.id),
          artifacts: try reader.artifacts(ofAttempt: attempt.id),
          events: try reader.events(ofAttempt: attempt.id),
          fingerprint: try attempt.fingerprint.map(reader.fingerprint) ?? [:],
          captures: try reader.captures(ofAttempt: attempt.id)))
    }
    let log = String(decoding: try HostFile.read(path + "/run.log"), as: UTF8.self)
    return Record(outcome: outcome, jobs: jobs, log: log, directory: directory)
  }
}

/// Starts a process, or does what the test says, inside the measured window.
private struct TestWorkload: Workload {
  let argv: [String]?
  let during: @Sendable (JobContext) async throws -> Void

  func setup(_ job: JobContext) async throws {
    if let argv { job.launch = Launch(argv: argv) }
  }

  func run(_ job: JobContext) async throws {
    if argv != nil {
      let result = try await job.runLaunch()
      guard result.isSuccess else {
        throw PlainFailure(.workload, "it \(result.termination)")
      }
    }
    try await during(job)
  }
}

extension InstrumentBench.Record.Job {
  /// The value of the one metric with this name and at least these classifiers.
  func value(_ name: String, _ classifiers: [String: String] = [:]) throws -> Double {
    let found = metrics.filter { metric in
      metric.name == name && classifiers.allSatisfy { metric.classifiers[$0.key] == $0.value }
    }
    try #require(found.count == 1, "\(found.count) metrics \(name) \(classifiers)")
    return try #require(found[0].value.double)
  }

  func messages(_ level: EventRecord.Level) -> [String] {
    events.filter { $0.level == level }.map(\.message)
  }
}

/// A recorded tree that a local connection takes for /proc and /sys; it can be changed while a job
/// runs.
final class RecordedTree: Sendable {
  let directory: TemporaryDirectory
  var root: String { directory.path }

  /// Writes the files, and those that every target has.
  init(machine: String = "aarch64", _ files: [String: String]) throws {
    directory = try TemporaryDirectory()
    let common = [
      "/proc/sys/kernel/random/boot_id": "5a2a0e37-7d8e-4b0e-8f0e-3d1b3c1f0a01\n",
      "/proc/sys/kernel/osrelease": "6.6.0\n", "/proc/sys/kernel/version": "#1 SMP\n",
      "/proc/sys/kernel/arch": machine + "\n", "/proc/cmdline": "quiet\n",
      "/proc/sys/kernel/hostname": "board\n", "/sys/devices/system/cpu/online": "0-3\n"
    ]
    for (path, content) in common.merging(files, uniquingKeysWith: { $1 }) {
      try directory.write(content, to: path)
    }
  }

  /// Changes or adds files.
  func write(_ files: [String: String]) throws {
    for (path, content) in files { try directory.write(content, to: path) }
  }

  func remove(_ path: String) async throws {
    _ = try await output(of: ["rm", "-rf", root + path], in: "/")
  }
}
