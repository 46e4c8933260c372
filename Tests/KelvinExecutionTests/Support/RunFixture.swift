import Glibc
import KelvinConnections
import KelvinExecution
import KelvinModel
import KelvinStore
import KelvinTargets
import Synchronization

/// A run in a temporary directory on this machine, with workloads and instruments of a test.
struct RunFixture {
  var workloads: [WorkloadType] = []
  var instruments: [any Instrument.Type] = []
  var specs: [JobSpec]
  var settings = RunSettings(maxRetries: 0)
  var observers: [any RunObserver] = []
  var stop = Interrupt()
  var onLog: @Sendable (EventRecord) -> Void = { _ in }
  var connection: any Connection = LocalConnection()
  var objection: @Sendable () -> String? = { nil }
  var deploy: DeployEquipment?
  var equipment = BoardEquipment()
  var isLost: @Sendable (String) -> Void = { _ in }

  init(_ specs: [JobSpec]) { self.specs = specs }

  /// Runs all iterations of all specs, spec by spec, and gives what the store holds.
  func run() async throws -> RunResult {
    let directory = try TemporaryDirectory()
    let jobs = specs.indices.flatMap { spec in
      (1...max(1, specs[spec].iterations)).map { PlannedJob(spec: spec, iteration: $0) }
    }
    let plan = Plan(settings: settings, specs: specs, jobs: jobs)
    let path = directory.path + "/run"
    let store = try RunStore.create(
      at: path,
      run: RunRecord(
        id: "test-\(getpid())", name: "test", kelvinVersion: "0", commandLine: [],
        board: "local", createdWallNanoseconds: MonotonicTime.wallNanoseconds, sources: []),
      plan: plan,
      life: LifeRecord(
        bootID: "b", processID: getpid(), startTicks: 1, monotonic: .now,
        boottimeNanoseconds: 0, wallNanoseconds: 0))
    let log = try RunLog(directory: path, observer: onLog)
    let target = Target(
      name: "local", connection: connection,
      runID: "test-\(getpid())-\(UInt64.random(in: 0...UInt64.max))")
    let runner = Runner(
      RunRequest(
        id: "test", directory: path, plan: plan,
        registry: Registry(workloads: workloads, instruments: instruments), store: store, log: log,
        target: target, pending: jobs.indices.map { .init(position: $0) }, observers: observers,
        stop: stop, stopReason: { "SIGINT" }, equipment: equipment, deploy: deploy,
        isLost: isLost, objection: objection))
    let outcome = try await runner.start()
    store.close()
    return RunResult(
      outcome: outcome, reader: try RunReader(directory: path), directory: directory, path: path)
  }
}

/// What a run left; the directory goes with it.
struct RunResult {
  let outcome: Outcome
  let reader: RunReader
  let directory: TemporaryDirectory
  let path: String

  func outcomes() throws -> [Outcome?] { try reader.jobs().map(\.outcome) }
  func verdicts() throws -> [String] { try outcomes().map { $0?.verdict.text ?? "none" } }
}

/// Words in the order in which they were said, from any thread.
final class Recorder: Sendable {
  private let words = Mutex<[String]>([])
  func say(_ word: String) { words.withLock { $0.append(word) } }
  var all: [String] { words.withLock { $0 } }
}

/// A workload whose stages are closures.
struct ScriptedWorkload: Workload {
  var onInitialize: @Sendable (JobContext) async throws -> Void = { _ in }
  var onSetup: @Sendable (JobContext) async throws -> Void = { _ in }
  var onRun: @Sendable (JobContext) async throws -> Void = { _ in }
  var onExtract: @Sendable (JobContext) async throws -> Void = { _ in }
  var onTeardown: @Sendable (JobContext) async throws -> Void = { _ in }

  func initialize(_ job: JobContext) async throws { try await onInitialize(job) }
  func setup(_ job: JobContext) async throws { try await onSetup(job) }
  func run(_ job: JobContext) async throws { try await onRun(job) }
  func extractResults(_ job: JobContext) async throws { try await onExtract(job) }
  func teardown(_ job: JobContext) async throws { try await onTeardown(job) }

  /// A kind of workload of this name that always gives this instance.
  func type(_ name: String = "scripted") -> WorkloadType {
    WorkloadType(Declaration(.workload, name, summary: "test")) { _ in self }
  }
}

extension JobSpec {
  /// A spec of the scripted workload.
  static func scripted(
    _ id: String = "wk1", iterations: Int = 1, augmentations: [String] = [],
    timeouts: StageTimeouts = .init()
  ) -> JobSpec {
    JobSpec(
      id: id, label: id, workload: "scripted", augmentations: augmentations,
      iterations: iterations, timeouts: timeouts)
  }
}
