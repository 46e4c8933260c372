import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

/// The workloads whose tools Debian has, run for real and for a moment, over both connections.
@Suite struct ToolWorkloadTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let workload: String
    let parameters: [String: Value]
    let program: String
    /// Metrics that must be there and above zero.
    let metrics: [String]
    var testDescription: String { workload + " " + parameters.map(\.key).sorted().joined() }
  }

  static let cases = [
    Case(
      workload: "openssl",
      parameters: ["algorithm": "aes-256-gcm", "duration": 1.0, "block_size": 1024],
      program: "openssl", metrics: ["throughput"]),
    Case(
      workload: "openssl",
      parameters: ["algorithm": "sha256", "duration": 1.0, "block_size": 1024, "threads": 2],
      program: "openssl", metrics: ["throughput"]),
    Case(
      workload: "openssl", parameters: ["algorithm": "rsa2048", "duration": 1.0],
      program: "openssl", metrics: ["signatures", "verifications"]),
    Case(
      workload: "stress-ng", parameters: ["stressor": "switch", "threads": 1, "duration": 1.0],
      program: "stress-ng", metrics: ["bogo_ops", "bogo_ops_rate", "bogo_ops_cpu_rate"]),
    Case(
      workload: "sysbench", parameters: ["threads": 1, "max_time": 1.0], program: "sysbench",
      metrics: ["events_rate", "events", "test_time", "latency"]),
    Case(
      workload: "sysbench",
      parameters: ["test": "memory", "threads": 1, "max_time": 1.0], program: "sysbench",
      metrics: ["events_rate", "bandwidth", "test_time"]),
    Case(
      workload: "sysbench", parameters: ["threads": 1, "max_requests": 50], program: "sysbench",
      metrics: ["events", "test_time"]),
    Case(
      workload: "hackbench", parameters: ["groups": 1, "loops": 20], program: "hackbench",
      metrics: ["test_time"]),
    Case(
      workload: "hackbench", parameters: ["tool": "perf", "groups": 1, "loops": 20],
      program: "perf", metrics: ["test_time"]),
    Case(
      workload: "memcpy", parameters: ["buffer_size": 100_000.0, "iterations": 10],
      program: "perf", metrics: ["bandwidth"]),
    Case(
      workload: "fio",
      parameters: ["size": 1_048_576.0, "rw": "randrw", "bs": 4096.0], program: "fio",
      metrics: ["bandwidth", "iops", "latency"])
  ]

  /// Runs one job of a built-in workload.
  static func run(
    _ workload: String, _ parameters: [String: Value], connection: any Connection
  ) async throws -> (outcome: Outcome, metrics: [Metric], result: RunResult) {
    let type = try #require(Registry.builtInWorkloads.first { $0.declaration.name == workload })
    var fixture = RunFixture([
      JobSpec(
        id: "wk1", label: workload, workload: workload,
        parameters: type.declaration.options.withDefaults(parameters))
    ])
    fixture.workloads = Registry.builtInWorkloads
    fixture.connection = connection
    let result = try await fixture.run()
    let outcome = try #require(try result.outcomes()[0])
    let attempt = try result.reader.attempts(ofJob: 0).last
    let metrics = try attempt.map { try result.reader.metrics(ofAttempt: $0.id) } ?? []
    return (outcome, metrics, result)
  }

  static func isInstalled(_ program: String) async throws -> Bool {
    let found = try await LocalConnection().findExecutables([program], until: .after(seconds: 10))
    if found[0] == nil { print("skipped: \(program) is not installed; run scripts/setup test") }
    return found[0] != nil
  }

  @Test(.timeLimit(.minutes(2)), arguments: cases, ["local", "shell"])
  func runsForReal(test: Case, through connection: String) async throws {
    guard try await Self.isInstalled(test.program) else { return }
    let (outcome, metrics, _) = try await Self.run(
      test.workload, test.parameters,
      connection: connection == "local" ? LocalConnection() : ShellConnection())
    #expect(outcome == .ok, "\(outcome)")
    for name in test.metrics {
      let values = metrics.filter { $0.name == name }.compactMap(\.value.double)
      #expect(!values.isEmpty, "no metric \(name) among \(metrics.map(\.name))")
      #expect(values.allSatisfy { $0 > 0 && $0.isFinite })
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func rtAppRunsAConfigurationThatIsBroughtToTheTarget() async throws {
    guard try await Self.isInstalled("rt-app") else { return }
    let directory = try TemporaryDirectory()
    let config = directory.path + "/load.json"
    try HostFile.write(
      Array(
        """
        {"tasks": {"t0": {"instance": 1, "loop": 5, "run": 1000,
          "timer": {"ref": "u", "period": 5000}}},
         "global": {"duration": 1, "calibration": 100, "default_policy": "SCHED_OTHER",
          "logdir": "\(directory.path)", "log_basename": "rt"}}
        """.utf8), to: config)
    let (outcome, _, _) = try await Self.run(
      "rt-app", ["config": .text(config)], connection: LocalConnection())
    #expect(outcome == .ok, "\(outcome)")
  }

  @Test(.timeLimit(.minutes(1)))
  func apacheAsksAServerOnLoopback() async throws {
    guard try await Self.isInstalled("ab"), try await Self.isInstalled("python3") else { return }
    let directory = try TemporaryDirectory()
    let connection = LocalConnection()
    let server = try await connection.start(
      Command(
        [
          "python3", "-c",
          """
          import http.server, functools, threading
          server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(
              http.server.SimpleHTTPRequestHandler, directory="."))
          open("port.tmp", "w").write(str(server.server_port))
          import os; os.rename("port.tmp", "port")
          threading.Timer(50, server.shutdown).start()
          server.serve_forever()
          """
        ], workingDirectory: TargetPath(directory.path)), until: .after(seconds: 10))
    let deadline = Deadline.after(seconds: 20)
    var port: Int64?
    while port == nil, !deadline.hasPassed {
      let bytes = try? await connection.read(
        TargetPath(directory.path + "/port"), until: deadline)
      port = bytes.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
      if port == nil { try await Task.sleep(for: .milliseconds(10)) }
    }
    let (outcome, metrics, _) = try await Self.run(
      "apache",
      [
        "host": "127.0.0.1", "port": .integer(try #require(port)), "number_of_requests": 20,
        "parallel_requests": 2
      ], connection: LocalConnection())
    try await server.signal(SIGKILL)
    _ = try await server.wait(until: .after(seconds: 10))
    #expect(outcome == .ok, "\(outcome)")
    #expect(metrics.first { $0.name == "requests_rate" }?.value.double ?? 0 > 0)
    #expect(metrics.first { $0.name == "failed_requests" }?.value.double == 0)
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["schbench", "lmbench", "dhrystone"])
  func aToolThatDebianLacksIsAnErrorThatNamesItsSource(workload: String) async throws {
    let (outcome, _, result) = try await Self.run(workload, [:], connection: LocalConnection())
    #expect(outcome.verdict == .skipped)
    #expect(result.outcome.reason.contains("is not on local"), "\(result.outcome.reason)")
    let log = String(decoding: try HostFile.read(result.path + "/run.log"), as: UTF8.self)
    #expect(log.contains("https://"), "\(log)")
  }
}
