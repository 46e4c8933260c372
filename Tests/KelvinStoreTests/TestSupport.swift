import Glibc
import KelvinModel
import Testing

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

/// What a command printed on its standard output, and its exit code.
struct ShellResult {
  var output: String
  var code: Int32
}

/// Runs a command line by /bin/sh. Tests only: arguments are not quoted.
func shell(_ command: String) -> ShellResult {
  guard let stream = popen(command, "r") else { return ShellResult(output: "", code: -1) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while case let count = fread(&buffer, 1, buffer.count, stream), count > 0 {
    bytes += buffer[..<count]
  }
  let status = pclose(stream)
  return ShellResult(output: String(decoding: bytes, as: UTF8.self), code: (status >> 8) & 0xFF)
}

func hasTool(_ name: String) -> Bool { shell("command -v \(name)").code == 0 }

func readFile(_ path: String) -> [UInt8]? {
  guard let file = fopen(path, "rb") else { return nil }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
    bytes += buffer[..<count]
  }
  return bytes
}

func writeFile(_ path: String, _ bytes: some Collection<UInt8>) {
  guard let file = fopen(path, "wb") else { preconditionFailure("\(path): errno \(errno)") }
  defer { fclose(file) }
  let bytes = Array(bytes)
  guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
    preconditionFailure("\(path): errno \(errno)")
  }
}

/// A generator with a fixed seed (SplitMix64), so that failures repeat.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
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

func makeRun(
  name: String = "test", created: Int64 = 1_700_000_000_000_000_000, benchFiles: [String] = []
) -> RunRecord {
  RunRecord(
    id: "8f7f0c4e-0000-4000-8000-000000000001", name: name, kelvinVersion: "0.1",
    commandLine: ["kelvin", "run", "a b.yaml"], board: "local", createdWallNanoseconds: created,
    sources: [.init(path: "a b.yaml", content: "workloads: [idle]\n")],
    benchFiles: benchFiles)
}

/// A life whose process is certainly dead: it is of another boot.
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

extension RunStore {
  /// Runs a job to its end at the first attempt.
  func runJob(_ position: Int, _ outcome: Outcome = .ok) throws(StoreFailure) {
    let attempt = try beginAttempt(job: position, number: 1, startedWallNanoseconds: 1)
    try recordProcess(attempt: attempt, processID: 1000, startTicks: 1)
    try finishAttempt(attempt, makeResult(outcome), jobOutcome: outcome)
  }
}

/// Expects a failure with a code.
@discardableResult
func expectFailure<T>(
  _ code: StoreFailure.Code, sourceLocation: Testing.SourceLocation = #_sourceLocation,
  _ body: () throws -> T
) -> StoreFailure? {
  let error = #expect(throws: StoreFailure.self, sourceLocation: sourceLocation) {
    _ = try body()
  }
  #expect(error?.code == code, "\(error as Any)", sourceLocation: sourceLocation)
  return error
}
