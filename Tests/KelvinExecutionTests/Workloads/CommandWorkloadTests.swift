import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

/// What a command is judged by, and what is done around it.
@Suite struct CommandWorkloadTests {
  private func run(
    _ script: String, _ parameters: [String: Value] = [:], cleanup: Bool = false
  ) async throws -> (outcome: Outcome, metrics: [Metric], result: RunResult) {
    var values = parameters
    values["argv"] = .list(["sh", "-c", .text(script)])
    let type = Recipe.command.type
    var fixture = RunFixture([
      JobSpec(
        id: "wk1", label: "command", workload: "command",
        parameters: type.declaration.options.withDefaults(values), cleanupAssets: cleanup)
    ])
    fixture.workloads = [type]
    let result = try await fixture.run()
    let outcome = try #require(try result.outcomes()[0])
    let attempt = try result.reader.attempts(ofJob: 0).last
    let metrics = try attempt.map { try result.reader.metrics(ofAttempt: $0.id) } ?? []
    return (outcome, metrics, result)
  }

  @Test(.timeLimit(.minutes(1)))
  func metricsComeFromBothStreamsWithTheirUnits() async throws {
    let (outcome, metrics, _) = try await run(
      "echo ops 12; echo lat 0.5 >&2; echo name fast",
      [
        "metrics": [
          "ops": ["pattern": "ops ([0-9]+)", "unit": "1/s", "lower_is_better": false],
          "lat": ["pattern": "lat (\\S+)", "unit": ""],
          "name": ["pattern": "name (\\w+)", "unit": ""]
        ]
      ])
    #expect(outcome == .ok)
    let byName = Dictionary(uniqueKeysWithValues: metrics.map { ($0.name, $0) })
    #expect(byName["ops"]?.value == .integer(12))
    #expect(byName["ops"]?.unit == "1/s")
    #expect(byName["ops"]?.lowerIsBetter == false)
    #expect(byName["lat"]?.value == .number(0.5))
    #expect(byName["name"]?.value == .text("fast"))
  }

  @Test(.timeLimit(.minutes(1)))
  func aMetricThatDoesNotAppearFailsTheJobUnlessItMay() async throws {
    let metrics: Value = ["ops": ["pattern": "ops ([0-9]+)", "unit": ""]]
    let (outcome, _, _) = try await run("echo other words", ["metrics": metrics])
    #expect(outcome.verdict == .failed(.workload))
    #expect(outcome.reason.contains("metric 'ops'"))
    #expect(outcome.reason.contains("other words"))
    let (lenient, _, _) = try await run(
      "echo other words", ["metrics": metrics, "metrics_required": false])
    #expect(lenient == .ok)
  }

  @Test(.timeLimit(.minutes(1)))
  func passAndFailPatternsJudgeTheOutputAndNeverTheCommandLine() async throws {
    // The command line itself holds both words.
    let (quiet, _, _) = try await run(": SUCCESS FAILURE", ["pass": ["SUCCESS"]])
    #expect(quiet.verdict == .failed(.workload))
    #expect(quiet.reason.contains("'SUCCESS'"))
    let (fine, _, _) = try await run(": FAILURE; echo fine", ["fail": ["FAILURE"]])
    #expect(fine == .ok)
    let (failing, _, _) = try await run("echo it is a FAILURE", ["fail": ["FAILURE"]])
    #expect(failing.verdict == .failed(.workload))
    #expect(failing.reason.contains("it is a FAILURE"))
    let (passing, _, _) = try await run("echo SUCCESS", ["pass": ["SUCCESS"]])
    #expect(passing == .ok)
  }

  @Test(.timeLimit(.minutes(1)))
  func exitCodesAndSignalsAreTheWorkloadsFailure() async throws {
    let (exit, _, _) = try await run("echo why >&2; exit 3")
    #expect(exit.verdict == .failed(.workload))
    #expect(exit.reason.contains("exited with 3"))
    #expect(exit.reason.contains("why"))
    let (allowed, _, _) = try await run("exit 3", ["exit_codes": [0, 3]])
    #expect(allowed == .ok)
    let (killed, _, _) = try await run("kill -SEGV $$")
    #expect(killed.reason.contains("signal 11"))
  }

  @Test(.timeLimit(.minutes(1)))
  func runsWithItsEnvironmentAffinityAndNiceness() async throws {
    let (outcome, metrics, _) = try await run(
      "echo e $COLOR; nice | sed 's/^/n /'; grep Cpus_allowed_list /proc/self/status",
      [
        "environment": ["COLOR": "green"], "niceness": 4, "cpus": "0x1",
        "metrics": [
          "e": ["pattern": "^e (.*)", "unit": ""], "n": ["pattern": "^n (.*)", "unit": ""],
          "c": ["pattern": "list:\\s+(.*)", "unit": ""]
        ]
      ])
    #expect(outcome == .ok)
    #expect(metrics.map(\.value) == [.integer(0), .text("green"), .integer(4)])
  }

  @Test(.timeLimit(.minutes(1)), arguments: [false, true])
  func filesAreBroughtAndTheirContentIsPartOfTheFingerprint(cleanup: Bool) async throws {
    let directory = try TemporaryDirectory()
    let file = directory.path + "/input.txt"
    try HostFile.write(Array("content\n".utf8), to: file)
    let (outcome, metrics, result) = try await run(
      "cat input.txt; echo at $KELVIN_FILE_INPUT_TXT",
      [
        "files": .list([.text(file)]),
        "metrics": [
          "c": ["pattern": "^(content)$", "unit": ""], "p": ["pattern": "^at (.*)", "unit": ""]
        ]
      ], cleanup: cleanup)
    #expect(outcome == .ok, "\(outcome)")
    #expect(metrics.first?.value == .text("content"))
    let attempt = try #require(try result.reader.attempts(ofJob: 0).last)
    let fingerprint = try result.reader.fingerprint(try #require(attempt.fingerprint))
    #expect(fingerprint["file input.txt"]?.hasPrefix("sha256 ") == true)
    #expect(fingerprint["program sh"]?.contains("sha256") == true)
    #expect(fingerprint["boot id"]?.isEmpty == false)
    // At the end of the run nothing of it is left on the target.
    guard case .text(let path) = metrics.last?.value else {
      Issue.record("no path")
      return
    }
    #expect(access(path, F_OK) != 0)
  }

  @Test(.timeLimit(.minutes(1)))
  func aShellScriptGetsItsArguments() async throws {
    let directory = try TemporaryDirectory()
    let file = directory.path + "/x.sh"
    try HostFile.write(Array("for word in \"$@\"; do echo \"<$word>\"; done\n".utf8), to: file)
    let type = Recipe.shellScript.type
    var fixture = RunFixture([
      JobSpec(
        id: "wk1", label: "x", workload: "shellscript",
        parameters: type.declaration.options.withDefaults([
          "script_file": .text(file), "argstring": "one 'two words' $HOME"
        ]))
    ])
    fixture.workloads = [type]
    let result = try await fixture.run()
    #expect(try result.verdicts() == ["ok"])
    let output = try HostFile.read(result.path + "/jobs/0001-x-1/attempt-1/stdout")
    #expect(String(decoding: output, as: UTF8.self) == "<one>\n<two words>\n<$HOME>\n")
  }

  @Test(.timeLimit(.minutes(1)))
  func idleWaitsAndIsStoppedByTheInterrupt() async throws {
    let stop = Interrupt()
    let spec = JobSpec(
      id: "wk1", label: "idle", workload: "idle", parameters: ["duration": 60.0])
    var fixture = RunFixture([spec])
    fixture.workloads = [Idle.type]
    fixture.stop = stop
    async let result = fixture.run()
    try await Task.sleep(for: .milliseconds(50))
    stop.raise()
    #expect(try await result.outcome.verdict == .aborted)
  }
}
