import KelvinConnections
import KelvinExecution
import KelvinModel
import KelvinStore
import KelvinTargets
import Glibc
struct W: Workload {
  func setup(_ job: JobContext) async throws { job.launch = Launch(argv: ["/bin/true"]) }
  func run(_ job: JobContext) async throws { try await job.runLaunch() }
}
let n = Int(CommandLine.arguments[1]) ?? 1
let dir = CommandLine.arguments[2]
let plan = Plan(settings: RunSettings(), specs: [JobSpec(id: "wk1", label: "noop", workload: "w", iterations: n)], jobs: (1...n).map { PlannedJob(spec: 0, iteration: $0) })
let store = try RunStore.create(at: dir, run: RunRecord(id: "x", name: "x", kelvinVersion: "0", commandLine: [], board: "local", createdWallNanoseconds: 0, sources: []), plan: plan, life: try LifeRecord.current())
let log = try RunLog(directory: dir) { _ in }
let runner = Runner(RunRequest(id: "x", directory: dir, plan: plan, registry: Registry(workloads: [WorkloadType(Declaration(.workload, "w", summary: "")) { _ in W() }], instruments: []), store: store, log: log, target: Target(name: "local", connection: LocalConnection(), runID: "x"), pending: plan.jobs.indices.map { .init(position: $0) }, observers: [], stop: Interrupt(), stopReason: { "" }))
let t0 = MonotonicTime.now, c0 = MonotonicTime.processCPUNanoseconds
_ = try await runner.start()
store.close()
print("cpu/job us", Double(MonotonicTime.processCPUNanoseconds - c0) / 1e3 / Double(n), "wall/job us", Double(MonotonicTime.now - t0) / 1e3 / Double(n))
