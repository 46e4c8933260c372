import Glibc
import KelvinModel
import KelvinOutputs

@testable import KelvinStore

/// A directory that goes with the value's last reference.
final class TemporaryDirectory: Sendable {
  let path: String

  init() {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/kelvin-outputs-XXXXXX".utf8CString)
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

func readText(_ path: String) -> String? {
  guard let file = fopen(path, "rb") else { return nil }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
    bytes += buffer[..<count]
  }
  return String(decoding: bytes, as: UTF8.self)
}

func writeText(_ path: String, _ text: String) {
  guard let file = fopen(path, "wb") else { preconditionFailure("\(path): errno \(errno)") }
  defer { fclose(file) }
  fputs(text, file)
}

/// Runs Python; gives what it printed.
func python(_ script: String, in directory: TemporaryDirectory) -> String {
  writeText(directory("script.py"), script)
  let result = shell("python3 \(directory("script.py")) 2>&1")
  return result.output
}

/// A life whose process is certainly dead: it is of another boot.
let deadLife = LifeRecord(
  bootID: "00000000-0000-0000-0000-000000000000", processID: 1, startTicks: 1,
  monotonic: MonotonicTime(nanoseconds: 1), boottimeNanoseconds: 1, wallNanoseconds: 1)

/// A run that holds one of everything, named to be hostile to every format.
struct SampleRun {
  static let name = "a \"run\", <with> & 'all'\nof it \u{1}✓"
  let path: String
  let store: RunStore
  let reader: RunReader

  init(at path: String, name: String = SampleRun.name) throws {
    self.path = path
    let specs = [
      JobSpec(
        id: "wk1", label: "openssl, \"fast\"", workload: "openssl",
        parameters: ["duration": 5.0, "argv": ["a", "b"]],
        runtimeParameters: [.init("governor", "performance")],
        classifiers: ["section": "s1", "cpu": "all"], augmentations: ["execution_time"],
        iterations: 2),
      JobSpec(id: "wk2", label: "idle", workload: "idle", iterations: 2)
    ]
    let jobs = [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3), (1, 3), (1, 4)].map {
      PlannedJob(spec: $0.0, iteration: $0.1)
    }
    store = try RunStore.create(
      at: path,
      run: RunRecord(
        id: "8f7f0c4e-0000-4000-8000-000000000001", name: name, kelvinVersion: "0.1",
        commandLine: ["kelvin", "run", "a b.yaml"], board: "local <x>",
        createdWallNanoseconds: 1_700_000_000_123_456_789,
        sources: [.init(path: "a b.yaml", content: "workloads: [idle]\n")]),
      plan: Plan(settings: RunSettings(seed: .max), specs: specs, jobs: jobs), life: deadLife)
    reader = try RunReader(directory: path)
  }

  static func metrics(_ value: Double) -> [Metric] {
    [
      Metric(
        "execution_time", .number(value), unit: "s", lowerIsBetter: true, source: "execution_time"),
      Metric("interrupts", .integer(12), classifiers: ["cpu": "0"], source: "interrupts"),
      Metric("interrupts", .integer(34), classifiers: ["cpu": "1"], source: "interrupts"),
      Metric("version", .text("1,2 \"three\"\r\nfour"), source: "openssl"),
      Metric("odd", .number(.nan)), Metric("odder", .number(-.infinity))
    ]
  }

  func attempt(
    _ job: Int, _ number: Int, _ outcome: Outcome, jobOutcome: Outcome?, metrics: [Metric] = []
  ) throws {
    let attempt = try store.beginAttempt(
      job: job, number: number, startedWallNanoseconds: 1_700_000_001_000_000_000)
    var result = AttemptResult(outcome)
    result.stages.setup = 0..<1_000_000
    result.stages.run = 1_000_000..<1_250_000_000
    result.stages.extract = 1_250_000_000..<1_300_000_000
    result.stages.teardown = 1_300_000_000..<1_500_000_000
    result.metrics = metrics
    result.fingerprint = ["kernel": "6.1"]
    result.changes = ["argv": ["nice"]]
    result.artifacts = [Artifact(name: "stdout", path: "jobs/\(job)/stdout", kind: .log)]
    result.events = [EventRecord(.warning, source: "s", "m\u{2}", time: .init(nanoseconds: 7))]
    var overhead = Overhead()
    overhead.cpuInsideWindow = 5
    result.overhead = overhead
    try store.finishAttempt(attempt, result, jobOutcome: jobOutcome)
  }

  /// Job 0 passes at its second attempt, 1 is partial, 2 fails twice, 3 is aborted, 4 times out, 5
  /// is skipped, 6 has not ended.
  func fill() throws {
    let failed = Outcome(.failed(.workload), "exit code 1: <&>\u{0}\u{B}\"'\nsecond line")
    try attempt(0, 1, failed, jobOutcome: nil, metrics: Self.metrics(9))
    try attempt(0, 2, .ok, jobOutcome: .ok, metrics: Self.metrics(1.5))
    let partial = Outcome(.partial, "perf: unavailable")
    try attempt(1, 1, partial, jobOutcome: partial, metrics: [Metric("n", .integer(3))])
    try attempt(2, 1, failed, jobOutcome: nil)
    try attempt(2, 2, failed, jobOutcome: failed, metrics: Self.metrics(2.5))
    let aborted = Outcome(.aborted, "SIGINT")
    try attempt(3, 1, aborted, jobOutcome: aborted)
    let late = Outcome(.failed(.timeout), "run took longer than 1 s")
    try attempt(4, 1, late, jobOutcome: late)
    try store.finishJobs([(5, Outcome(.skipped, "interrupted"))])
    try store.add(
      runArtifacts: [Artifact(name: "log", path: "run.log", kind: .log)],
      runMetrics: [Metric("duration", .number(12.25), unit: "s")])
    try store.record(
      EventRecord(.error, source: "runner", "SIGINT", time: .init(nanoseconds: 8)), attempt: nil)
    try store.setRunState(.ended, outcome: Outcome(.failed(.workload), "2 of 7 jobs"))
  }
}

extension OutputProcessor {
  /// Makes a processor with the defaults of its options filled in, as the agenda does.
  static func make(_ settings: [String: Value] = [:]) throws -> Self {
    var all: [String: Value] = [:]
    for option in declaration.options {
      all[option.name] = settings[option.name] ?? option.defaultValue
    }
    return try Self(settings: all)
  }
}
