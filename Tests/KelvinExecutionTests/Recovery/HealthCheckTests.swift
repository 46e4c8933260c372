import KelvinConnections
import KelvinModel
import KelvinStore
import KelvinTargets
import Synchronization
import Testing

@testable import KelvinExecution

/// Health checks of a board that is played: when they run, and what follows from one that fails.
@Suite(.timeLimit(.minutes(3)))
struct HealthCheckTests {
  let board: FakeBoard
  /// What jobs and checks did, in order.
  let log = Recorder()
  /// Why the board was taken out.
  let lost = Recorder()

  init() throws { board = try FakeBoard() }

  /// A run of jobs on the board, with a check that fails in these of its runs (from 1).
  private func fixture(
    jobs: Int, _ check: HealthCheck, failing: Set<Int> = [], kind: FailureKind = .workload,
    inJob: @escaping @Sendable (JobContext) throws -> Void = { _ in }
  ) throws -> RunFixture {
    var fixture = RunFixture([.scripted(iterations: jobs)])
    let (log, lost) = (log, lost)
    fixture.workloads = [
      ScriptedWorkload(onRun: { job in
        log.say("job \(job.iteration)")
        try inJob(job)
      }).type(),
      ScriptedWorkload(onRun: { job in
        log.say("check \(job.iteration)")
        job.add(Metric("checked", .integer(1)))
        try job.write([65], to: "note", kind: .log, description: "n", source: "test")
        if failing.contains(job.iteration) { throw PlainFailure(kind, "wrong sum") }
      }).type("probe")
    ]
    fixture.settings = RunSettings(maxRetries: 0, healthCheck: check)
    fixture.connection = board
    fixture.equipment = BoardEquipment(offSeconds: 0, bootSeconds: 30)
    fixture.equipment.power = try board.control(on: board.bootingWords(7))
    fixture.equipment.ladder = RecoveryLadder([RungPlan(.reconnect), RungPlan(.powerCycle)])
    fixture.isLost = { lost.say($0) }
    return fixture
  }

  private func messages(_ result: RunResult) throws -> [String] {
    try result.reader.events(ofAttempt: nil).filter { $0.source == HealthCheck.id }.map(\.message)
  }

  @Test(
    arguments: [
      (Set([HealthCheck.Time.start]), nil, "check 1,job 1,job 2,job 3,job 4,job 5"),
      (Set([.recovery]), nil, "job 1,job 2,job 3,job 4,job 5"),
      (Set([.start]), 2, "check 1,job 1,job 2,check 2,job 3,job 4,check 3,job 5"),
      (Set([]), 3, "job 1,job 2,job 3,check 1,job 4,job 5")
    ] as [(Set<HealthCheck.Time>, Int?, String)])
  func runsWhenItIsToldTo(times: Set<HealthCheck.Time>, every: Int?, order: String) async throws {
    let result = try await fixture(
      jobs: 5, HealthCheck(workload: "probe", times: times, every: every)
    ).run()
    #expect(result.outcome == .ok)
    #expect(log.all.joined(separator: ",") == order)
  }

  /// A check is no job: nothing of it stands among what was measured.
  @Test func itsResultsAreApartFromTheJobs() async throws {
    let result = try await fixture(jobs: 2, HealthCheck(workload: "probe")).run()
    #expect(try result.verdicts() == ["ok", "ok"])
    #expect(try result.reader.jobs().count == 2)
    #expect(try result.reader.runMetrics().isEmpty)
    for job in try result.reader.jobs() {
      for attempt in try result.reader.attempts(ofJob: job.position) {
        #expect(try result.reader.metrics(ofAttempt: attempt.id).isEmpty)
      }
    }
    #expect(
      try messages(result).first?.hasPrefix("health check 1 ('probe', at the start): passed")
        == true)
    #expect(try result.reader.artifacts(ofAttempt: nil).map(\.path) == ["checks/0001/note"])
  }

  @Test func aCheckThatFailsHasTheBoardBroughtBackOnce() async throws {
    let result = try await fixture(jobs: 1, HealthCheck(workload: "probe"), failing: [1]).run()
    #expect(result.outcome == .ok && lost.all == [])
    #expect(log.all == ["check 1", "check 2", "job 1"])
    #expect(
      try String(decoding: HostFile.read(board.tree.root + FakeBoard.bootIDPath), as: UTF8.self)
        == FakeBoard.bootID(7) + "\n", "it was power cycled")
    let messages = try messages(result)
    #expect(messages.contains { $0.contains("at the start): failed: workload: wrong sum") })
    #expect(messages.contains { $0.contains("after power_cycle): passed") })
  }

  @Test func aBoardThatFailsTwiceIsTakenOut() async throws {
    let directory = try TemporaryDirectory()
    let resource = BenchResource(.board, "rock", bench: "/lab/bench.yaml")
    var fixture = try fixture(jobs: 2, HealthCheck(workload: "probe"), failing: [1, 2])
    fixture.observers = [
      HealthObserver(resource, run: "r", stateDirectory: directory.path) { _, _ in }
    ]
    let result = try await fixture.run()
    #expect(log.all == ["check 1", "check 2"])
    #expect(try result.verdicts() == ["skipped", "skipped"])
    let reason = result.outcome.reason
    #expect(reason.hasPrefix("local: health check 'probe' failed: failed: workload: wrong sum"))
    #expect(
      reason.hasSuffix("and again after power_cycle: failed: workload: wrong sum"), "\(reason)")
    #expect(lost.all == [reason])
    // And it is in the board's history.
    let history = try #require(
      try BenchListing.history(of: resource, recoveries: 1, directory: directory.path))
    #expect(history.checks.passed == 0 && history.checks.failed == 2)
    #expect(history.lastCheck?.cause == "after power_cycle")
    #expect(history.lastCheck?.problem?.contains("wrong sum") == true)
    #expect(history.lastRecoveries.first?.finding.contains("health check 'probe' failed") == true)
    #expect(history.jobs == 0, "a check is no job")
  }

  @Test func aBoardThatIsNeverRebootedIsTakenOutAtOnce() async throws {
    var fixture = try fixture(jobs: 1, HealthCheck(workload: "probe"), failing: [1])
    fixture.settings.rebootPolicy = .never
    #expect(try await fixture.run().outcome.verdict == .failed(.target))
    #expect(log.all == ["check 1"] && lost.all.count == 1)
  }

  /// What rebooted in the middle of a job is checked before the next one.
  @Test(arguments: [[], [1], [1, 2]])
  func aBoardThatIsBackIsChecked(failing: [Int]) async throws {
    let board = board
    let fixture = try fixture(
      jobs: 2, HealthCheck(workload: "probe", times: [.recovery]), failing: Set(failing)
    ) { job in
      if job.position == 0 { board.boot(2) }
    }
    let result = try await fixture.run()
    let outcome = try #require(try result.outcomes()[0])
    #expect(outcome.verdict == .failed(.target))
    #expect(outcome.reason.contains("rebooted while the job ran"))
    switch failing.count {
    case 0: #expect(log.all == ["job 1", "check 1", "job 2"])
    case 1: #expect(log.all == ["job 1", "check 1", "check 2", "job 2"])
    default:
      #expect(log.all == ["job 1", "check 1", "check 2"])
      #expect(outcome.reason.contains("and again after power_cycle"))
      #expect(try result.verdicts()[1] == "skipped" && lost.all.count == 1)
    }
  }

  /// A workload that is not to be had is no sickness of the board.
  @Test func aCheckThatCannotRunEndsTheRunAndAccusesNobody() async throws {
    var fixture = try fixture(jobs: 1, HealthCheck(workload: "probe"))
    fixture.workloads[1] = ScriptedWorkload(onInitialize: { _ in
      throw PlainFailure(.target, "no such program")
    }).type("probe")
    let result = try await fixture.run()
    #expect(result.outcome.reason.contains("health check 'probe': no such program"))
    #expect(lost.all == [] && log.all == [])
  }
}
