import Glibc
import KelvinExecution
import KelvinModel
import KelvinStore
import Testing

/// Detached jobs on this machine, whose link nothing takes away; on boards: VirtualBenchTests.
@Suite(.timeLimit(.minutes(1)))
struct DetachedJobTests {
  private func run(
    _ argv: [String], timeout: Double = 20, parameters: [String: Value] = [:]
  ) async throws -> RunResult {
    var spec = JobSpec(
      id: "wk1", label: "wk1", workload: "command",
      parameters: parameters.merging(["argv": .list(argv.map(Value.text))]) { own, _ in own },
      timeouts: StageTimeouts(run: timeout))
    spec.detached = DetachedLink(settle: 0)
    var fixture = RunFixture([spec])
    fixture.workloads = Registry.builtInWorkloads
    return try await fixture.run()
  }

  @Test func aDetachedJobHasAllThatOthersHave() async throws {
    let result = try await run(
      ["sh", "-c", "echo rate 42; echo oops >&2; sleep 0.5"],
      parameters: ["metrics": ["rate": ["pattern": "rate ([0-9]+)", "unit": "1/s"]]])
    #expect(try result.outcomes() == [.ok])
    let attempt = try #require(try result.reader.attempts(ofJob: 0).first)
    let metrics = try result.reader.metrics(ofAttempt: attempt.id)
    #expect(metrics.first { $0.name == "rate" }?.value == .integer(42))
    let artifacts = try result.reader.artifacts(ofAttempt: attempt.id)
    #expect(artifacts.map(\.name).sorted() == ["stderr", "stdout"])
    // The window is the command's own time, not the time until Kelvin looked.
    let overhead = try #require(attempt.overhead)
    let whole = try #require(attempt.stages.run)
    let window =
      Double(whole.upperBound - whole.lowerBound) / 1e9
      - Double(overhead.beforeWindow + overhead.afterWindow) / 1e9
    #expect((0.49...5).contains(window), "\(window)")
  }

  @Test func aFailureIsTheWorkloadsOwn() async throws {
    let result = try await run(["sh", "-c", "echo why >&2; exit 3"])
    let outcome = try #require(try result.outcomes().first ?? nil)
    #expect(outcome.verdict == .failed(.workload), "\(outcome)")
    #expect(
      outcome.reason.contains("exited with 3") && outcome.reason.contains("why"), "\(outcome)")
  }

  @Test func itsTimeIsLimited() async throws {
    let result = try await run(["sh", "-c", "echo begun; sleep 71"], timeout: 1)
    let outcome = try #require(try result.outcomes().first ?? nil)
    #expect(outcome.verdict == .failed(.timeout), "\(outcome)")
    let attempt = try #require(try result.reader.attempts(ofJob: 0).first)
    #expect(try result.reader.artifacts(ofAttempt: attempt.id).map(\.name) == ["stdout"])
  }

  @Test func aStopEndsIt() async throws {
    var spec = JobSpec(
      id: "wk1", label: "wk1", workload: "command", parameters: ["argv": ["sleep", "72"]])
    spec.detached = DetachedLink(settle: 0)
    var fixture = RunFixture([spec])
    fixture.workloads = Registry.builtInWorkloads
    let stop = fixture.stop
    fixture.onLog = { if $0.message.contains("detached") { stop.raise() } }
    let result = try await fixture.run()
    #expect(try result.outcomes().first??.verdict == .aborted)
  }

  @Test func idleIsDoneByTheBoard() async throws {
    var spec = JobSpec(
      id: "wk1", label: "wk1", workload: "idle", parameters: ["duration": 1])
    spec.detached = DetachedLink(settle: 0)
    var fixture = RunFixture([spec])
    fixture.workloads = Registry.builtInWorkloads
    let result = try await fixture.run()
    #expect(try result.outcomes() == [.ok])
  }

  @Test func whatNeedsTheLinkSaysSo() {
    let needing = Registry.builtInInstruments.map { $0.declaration }
      .filter { $0.linkUse == .needs }.map(\.name).sorted()
    #expect(needing == ["file_poller", "fps", "logcat", "screen_capture", "thermal"])
  }
}
