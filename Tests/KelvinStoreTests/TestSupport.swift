import Glibc
import KelvinModel

@testable import KelvinStore

/// A directory that goes with the value's last reference.
final class TemporaryDirectory: Sendable {
  let path: String

  init() {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/kelvin-store-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { preconditionFailure("mkdtemp: errno \(errno)") }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { try? removeTree(path) }

  func callAsFunction(_ name: String) -> String { path + "/" + name }
}

/// A run with two specs, and `iterations` jobs of each in turn.
func makePlan(iterations: Int = 2) -> Plan {
  let specs = ["first", "second"].enumerated().map { index, label in
    JobSpec(
      id: "wk\(index + 1)", label: label, workload: "command",
      parameters: ["argv": ["true"], "ratio": 5.0, "count": 5],
      classifiers: ["board": "a"], augmentations: ["execution_time"], iterations: iterations)
  }
  let jobs = (1...iterations).flatMap { iteration in
    [PlannedJob(spec: 0, iteration: iteration), PlannedJob(spec: 1, iteration: iteration)]
  }
  return Plan(settings: RunSettings(seed: .max), specs: specs, jobs: jobs)
}

func makeRun(name: String = "test") -> RunRecord {
  RunRecord(
    id: "8f7f0c4e-0000-4000-8000-000000000001", name: name, kelvinVersion: "0.1",
    commandLine: ["kelvin", "run", "a b.yaml"], board: "local",
    createdWallNanoseconds: 1_700_000_000_000_000_000,
    sources: [.init(path: "a b.yaml", content: "workloads: [idle]\n")])
}

/// A life whose process is certainly dead: of another boot.
let deadLife = LifeRecord(
  bootID: "00000000-0000-0000-0000-000000000000", processID: 1, startTicks: 1,
  monotonic: MonotonicTime(nanoseconds: 1), boottimeNanoseconds: 1, wallNanoseconds: 1)

/// What a no-op job leaves.
func makeResult(_ outcome: Outcome = .ok, start: Int64 = 1_000_000_000_000) -> AttemptResult {
  var result = AttemptResult(outcome)
  result.stages.setup = start..<start + 1_000_000
  result.stages.run = start + 1_000_000..<start + 3_000_000
  result.stages.extract = start + 3_000_000..<start + 3_500_000
  result.stages.teardown = start + 3_500_000..<start + 4_000_000
  var overhead = Overhead()
  overhead.cpuInsideWindow = 120_000
  overhead.beforeWindow = 50_000
  overhead.afterWindow = 60_000
  result.overhead = overhead
  result.metrics = [
    Metric(
      "execution_time", .number(0.00123), unit: "s", lowerIsBetter: true, source: "execution_time")
  ]
  result.fingerprint = ["kernel": "6.1.0", "boot_id": "abc"]
  return result
}
