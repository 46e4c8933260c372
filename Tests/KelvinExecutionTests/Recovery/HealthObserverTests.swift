import Glibc
import KelvinModel
import KelvinStore
import Synchronization
import Testing

@testable import KelvinExecution

/// The history of a board, kept while a run goes on, and the end of a board that fails too often.
@Suite(.timeLimit(.minutes(1)))
struct HealthObserverTests {
  let directory: TemporaryDirectory
  let board = BenchResource(.board, "rock", bench: "/lab/bench.yaml")

  init() throws { directory = try TemporaryDirectory() }

  private final class Quarantines: Sendable {
    private let words = Mutex<[String]>([])
    func add(_ word: String) { words.withLock { $0.append(word) } }
    var all: [String] { words.withLock { $0 } }
  }

  private func observer(
    _ quarantines: Quarantines, run: String = "r", rule: QuarantineRule = .standard
  ) -> HealthObserver {
    HealthObserver(board, run: run, rule: rule, stateDirectory: directory.path) {
      quarantines.add("\($0); \($1)")
    }
  }

  private func history(recoveries: Int = 0) throws -> BoardHistory? {
    try BenchListing.history(of: board, recoveries: recoveries, directory: directory.path)
  }

  /// A run whose jobs fail as the verdicts say, by position.
  private func fixture(_ observer: HealthObserver, _ failures: [FailureKind?]) -> RunFixture {
    var fixture = RunFixture([.scripted(iterations: failures.count)])
    fixture.workloads = [
      ScriptedWorkload(onRun: { job in
        if let kind = failures[job.position] { throw PlainFailure(kind, "it hung") }
      }).type()
    ]
    fixture.observers = [observer]
    fixture.objection = { observer.objection }
    return fixture
  }

  @Test func whatJobsComeToIsInTheHistory() async throws {
    let quarantines = Quarantines()
    let result = try await fixture(
      observer(quarantines), [nil, .target, .workload, nil, .infrastructure]
    ).run()
    #expect(try result.verdicts().count == 5)
    let history = try #require(try history())
    #expect(
      history.attempts == [
        .ok: 2, .failed(.target): 1, .failed(.workload): 1, .failed(.infrastructure): 1
      ])
    #expect(history.flakiness == Proportion(2, of: 5))
    #expect(history.lastTrouble?.text.contains("it hung") == true)
    #expect(quarantines.all == [])
  }

  @Test func attemptsThatDisagreeMakeAJobFlaky() async throws {
    let quarantines = Quarantines()
    var fixture = RunFixture([.scripted(iterations: 3)])
    fixture.settings = RunSettings(maxRetries: 2)
    fixture.workloads = [
      ScriptedWorkload(onRun: { job in
        if job.position == 1, job.attempt == 1 { throw PlainFailure(.workload, "wrong sum") }
      }).type()
    ]
    fixture.observers = [observer(quarantines)]
    #expect(try await fixture.run().outcome == .ok)
    #expect(try history()?.attempts == [.ok: 3, .failed(.workload): 1])
    #expect(try history()?.flakiness == Proportion(1, of: 3))
  }

  @Test func aBoardThatFailsTooOftenGetsNoFurtherJob() async throws {
    let quarantines = Quarantines()
    let observer = observer(quarantines)
    let result = try await fixture(
      observer, [nil, .target, .infrastructure, nil, .target, .target, .infrastructure, nil, nil]
    ).run()
    #expect(
      try result.verdicts() == [
        "ok", "failed: target", "failed: infrastructure", "ok", "failed: target", "failed: target",
        "failed: infrastructure", "skipped", "skipped"
      ])
    #expect(result.outcome.verdict == .failed(.target))
    #expect(result.outcome.reason.hasPrefix("rock is quarantined: 5 of its last 7 attempts"))
    #expect(try result.outcomes().last??.reason == result.outcome.reason)
    #expect(quarantines.all.count == 1)
    #expect(quarantines.all.first?.contains("run r, job 7: it hung") == true)
    #expect(try history()?.jobs == 7)
  }

  /// Five runs of one job each are as bad as one of five.
  @Test func failuresOfEarlierRunsCountUntilTheBoardIsPutBack() async throws {
    let quarantines = Quarantines()
    for _ in 0..<4 { _ = try await fixture(observer(quarantines), [.target]).run() }
    #expect(quarantines.all == [])
    _ = try await fixture(observer(quarantines), [.target]).run()
    #expect(quarantines.all.count == 1)
    let store = try BenchStore.open(directory: directory.path)
    try store.quarantine(board, reason: "often")
    #expect(try store.enable(board))
    _ = try await fixture(observer(quarantines), [.target, .target, .target, .target]).run()
    #expect(quarantines.all.count == 1, "it begins anew")
    _ = try await fixture(observer(quarantines), [nil, .target]).run()
    #expect(quarantines.all.count == 2)
  }

  @Test func workloadsThatFailAreNotTheBoardsFault() async throws {
    let quarantines = Quarantines()
    let kinds: [FailureKind?] = [.workload, .timeout, .internal, .configuration]
    _ = try await fixture(
      observer(quarantines, rule: QuarantineRule(failures: 1, of: 1)), kinds
    ).run()
    #expect(quarantines.all == [])
    #expect(try history()?.jobs == 4)
  }

  /// A board that lacks a program is not sick.
  @Test func whatABoardDoesNotOfferIsNotHeldAgainstIt() async throws {
    let quarantines = Quarantines()
    var fixture = RunFixture([.scripted(iterations: 6)])
    fixture.workloads = [
      ScriptedWorkload(onInitialize: { _ in throw PlainFailure(.target, "no such program") })
        .type()
    ]
    fixture.settings.bailOnInitFailure = false
    fixture.observers = [observer(quarantines)]
    let result = try await fixture.run()
    #expect(try result.verdicts() == [String](repeating: "failed: target", count: 6))
    #expect(quarantines.all == [])
    #expect(try history()?.flakiness == Proportion(0, of: 0))
    #expect(try history()?.failures(.target) == 6)
  }

  @Test func recoveriesAreWrittenAtOnceWithTheirSteps() throws {
    let quarantines = Quarantines()
    let observer = observer(quarantines, rule: QuarantineRule(failures: 1, of: 1))
    observer.observe(
      .recovered(
        RecoveryReport(
          position: 3, finding: "silent for 5 s",
          steps: [
            RecoveryStep(rung: .reconnect, seconds: 10, problem: "no answer"),
            RecoveryStep(rung: .powerCycle, seconds: 7.5)
          ], isBack: true, duration: 17_500_000_000)))
    let history = try #require(try history(recoveries: 1))
    #expect(history.timeToRecover?.mean == 17.5)
    #expect(history.recoveries.keys.sorted() == ["power_cycle"])
    #expect(history.lastRecoveries.first?.steps.map(\.rung) == ["reconnect", "power_cycle"])
    #expect(history.lastRecoveries.first?.steps.map(\.problem) == ["no answer", nil])
  }

  /// It is taken out already, for a better reason.
  @Test func aBoardThatNothingBringsBackIsNotQuarantinedTwice() throws {
    let quarantines = Quarantines()
    let observer = observer(quarantines, rule: QuarantineRule(failures: 1, of: 1))
    observer.observe(
      .recovered(
        RecoveryReport(
          position: 0, finding: "silent", steps: [], isBack: false, duration: 1_000_000_000)))
    observer.observe(.attemptEnded(report(.failed(.target))))
    #expect(quarantines.all == [])
    #expect(observer.objection == nil)
    #expect(try history()?.lost == 1)
    #expect(try history()?.failures(.target) == 1)
  }

  private func report(_ verdict: Verdict, position: Int = 0) -> AttemptReport {
    let outcome = Outcome(verdict, "why")
    return AttemptReport(
      position: position, specIndex: 0, spec: .scripted(), iteration: 1, attempt: 1,
      outcome: outcome, jobOutcome: outcome, metrics: [], couldRun: true, duration: 1_000_000)
  }

  @Test func jobsOfMillisecondsAreWrittenTogetherAndTroubleAtOnce() throws {
    let quarantines = Quarantines()
    let observer = observer(quarantines)
    observer.observe(.attemptEnded(report(.ok)))
    #expect(try history() == nil, "not yet: a second has not passed")
    observer.observe(.attemptEnded(report(.failed(.target), position: 1)))
    #expect(try history()?.attempts == [.ok: 1, .failed(.target): 1])
    observer.observe(.attemptEnded(report(.ok, position: 2)))
    #expect(try history()?.jobs == 2)
    observer.observe(.runEnded(.ok))
    #expect(try history()?.jobs == 3)
  }

  /// The rule works without the bench database, and the run goes on.
  @Test func aBenchDatabaseThatCannotBeUsedStopsNoRun() async throws {
    let quarantines = Quarantines()
    let file = directory.path + "/bench.db"
    let descriptor = open(file, O_WRONLY | O_CREAT, 0o600)
    #expect(write(descriptor, "no database at all, but long enough to be looked at", 51) == 51)
    close(descriptor)
    let observer = observer(quarantines, rule: QuarantineRule(failures: 2, of: 2))
    let result = try await fixture(observer, [nil, .target, .target, nil]).run()
    #expect(try result.verdicts().suffix(2) == ["failed: target", "skipped"])
    #expect(observer.problem?.hasPrefix("the history of rock is not kept any more: ") == true)
    #expect(quarantines.all.count == 1)
  }

  /// The limit is generous, since this machine may be busy.
  @Test func anAttemptCostsMicroseconds() throws {
    let observer = observer(Quarantines())
    func processorNanoseconds() -> Int64 {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
    let reports = (0..<10_000).map { report(.ok, position: $0) }
    observer.observe(.attemptEnded(report(.ok)))
    let (begin, wall) = (processorNanoseconds(), MonotonicTime.now)
    for report in reports { observer.observe(.attemptEnded(report)) }
    observer.observe(.runEnded(.ok))
    let each = Double(processorNanoseconds() - begin) / 10_000 / 1000
    print(
      "an attempt: \(each) µs of CPU, \(Double(MonotonicTime.now - wall) / 1e7) µs of time")
    #expect(each < 300)
    #expect(try history()?.jobs == 10_001)
  }
}
