import Glibc
import KelvinModel
import Testing

@testable import KelvinStore

/// What is kept of what happened on boards.
struct HistoryTests {
  let directory = TemporaryDirectory()

  private func open() throws -> BenchStore { try BenchStore.open(directory: directory.path) }

  private func history(_ board: BenchResource = rock, recoveries: Int = 0) throws -> BoardHistory? {
    try BenchListing.history(of: board, recoveries: recoveries, directory: directory.path)
  }

  private static func attempt(
    _ verdict: Verdict, job: Int = 0, attempt: Int = 1, run: String = "r", isLast: Bool = true,
    couldRun: Bool = true, at wall: Int64 = 1
  ) -> BoardJobRecord {
    BoardJobRecord(
      run: run, job: job, attempt: attempt,
      outcome: Outcome(verdict, verdict == .ok ? "" : "why"), isLast: isLast, couldRun: couldRun,
      seconds: 0.5, endedWallNanoseconds: wall)
  }

  @Test func aBoardThatNothingRanOnHasNoHistory() throws {
    #expect(try history() == nil)
    let store = try open()
    #expect(try history() == nil)
    try store.note([], of: rock)
    #expect(try history() == nil)
    #expect(try store.recentVerdicts(of: rock) == [])
  }

  @Test func attemptsAreCountedByHowTheyEnded() throws {
    let store = try open()
    try store.note(Self.attempt(.ok, at: 7), of: rock)
    try store.note(Self.attempt(.failed(.target), job: 1, at: 9), of: rock)
    try store.note(Self.attempt(.failed(.workload), job: 2, at: 11), of: rock)
    try store.note(Self.attempt(.aborted, job: 3, at: 12), of: rock)
    let history = try #require(try history())
    #expect(
      history.attempts == [.ok: 1, .failed(.target): 1, .failed(.workload): 1, .aborted: 1])
    #expect(history.failures(.target) == 1)
    #expect(history.sinceWallNanoseconds == 7)
    #expect(history.flakiness == Proportion(1, of: 3), "what was stopped is no job that ended")
    #expect(history.lastTrouble?.text == "failed: target: why")
    #expect(history.lastTrouble?.wallNanoseconds == 9)
    #expect(try self.history(pi) == nil, "another board's")
  }

  @Test(arguments: [
    (verdicts: [Verdict.ok], isFlaky: false), ([.failed(.workload)], false), ([.partial], false),
    ([.failed(.target)], true), ([.failed(.infrastructure)], true),
    ([.failed(.workload), .ok], true), ([.failed(.workload), .failed(.workload)], false),
    ([.failed(.workload), .failed(.timeout)], true), ([.failed(.target), .ok], true),
    ([.aborted, .ok], false), ([.ok, .aborted, .ok], false)
  ])
  func aJobIsFlakyWhenTheBoardFailedOrItsAttemptsDisagreed(
    verdicts: [Verdict], isFlaky: Bool
  ) throws {
    let store = try open()
    // Of another job, and of another run: neither is compared.
    try store.note(Self.attempt(.partial, job: 1, isLast: false), of: rock)
    try store.note(Self.attempt(.partial, run: "other", isLast: false), of: rock)
    try store.note(
      verdicts.enumerated().map { index, verdict in
        Self.attempt(verdict, attempt: index + 1, isLast: index == verdicts.count - 1)
      }, of: rock)
    #expect(try history()?.flakiness == Proportion(isFlaky ? 1 : 0, of: 1))
  }

  @Test func whatABoardDoesNotOfferSaysNothingOfIt() throws {
    let store = try open()
    try store.note(Self.attempt(.failed(.target), couldRun: false), of: rock)
    let history = try #require(try history())
    #expect(history.flakiness == Proportion(0, of: 0))
    #expect(history.lastTrouble == nil)
    #expect(history.failures(.target) == 1, "it is counted all the same")
    #expect(try store.recentVerdicts(of: rock) == [])
  }

  @Test func recoveriesAreCountedByWhatBroughtTheBoardBack() throws {
    let store = try open()
    func recovery(_ rungs: [String], _ seconds: Double, isBack: Bool = true) -> RecoveryRecord {
      RecoveryRecord(
        run: "r", finding: "silent for \(seconds) s",
        steps: rungs.enumerated().map { index, rung in
          .init(
            rung, seconds: seconds,
            problem: isBack && index == rungs.count - 1 ? nil : "no answer")
        }, isBack: isBack, seconds: seconds)
    }
    try store.note(recovery(["reconnect"], 1), of: rock)
    try store.note(recovery(["reconnect", "reset"], 12), of: rock)
    try store.note(recovery(["reset"], 8), of: rock)
    try store.note(recovery(["reset", "power_cycle"], 300, isBack: false), of: rock)
    let history = try #require(try history(recoveries: 2))
    #expect(history.recoveries.mapValues(\.count) == ["reconnect": 1, "reset": 2, "lost": 1])
    #expect(history.recoveries["reset"]?.range == 8...12)
    #expect(history.lost == 1)
    let time = try #require(history.timeToRecover)
    #expect(time.mean == 7, "of those that worked")
    #expect(time.range == 1...12)
    #expect(history.lastRecoveries.count == 2)
    #expect(history.lastRecoveries[0].steps.map(\.rung) == ["reset", "power_cycle"])
    #expect(history.lastRecoveries[0].steps.map(\.problem) == ["no answer", "no answer"])
    #expect(history.lastRecoveries[1].outcome == "reset")
    #expect(history.lastTrouble?.text == "silent for 300.0 s")
    #expect(try self.history()?.lastRecoveries == [])
    #expect(try self.history()?.lastTrouble == history.lastTrouble)
  }

  @Test func theOldestGoAndTheSumsStayTrue() throws {
    let store = try open()
    let count = BenchStore.attemptLimit + 500
    for begin in stride(from: 0, to: count, by: 100) {
      try store.note(
        (begin..<begin + 100).map { Self.attempt($0 % 10 == 0 ? .failed(.target) : .ok, job: $0) },
        (0..<20).map { _ in
          RecoveryRecord(run: "r", finding: "f", steps: [], isBack: true, seconds: 1)
        }, of: rock)
    }
    // Another board's are not pruned with them.
    try store.note(Self.attempt(.ok), of: pi)
    let history = try #require(try history(recoveries: 10_000))
    #expect(history.attempts == [.ok: count * 9 / 10, .failed(.target): count / 10])
    #expect(history.flakiness == Proportion(count / 10, of: count))
    #expect(history.recoveries["reconnect"]?.count == count / 5)
    #expect(history.lastRecoveries.count == BenchStore.recoveryLimit)
    let newest = "SELECT count(*), sum(job >= \(count - BenchStore.attemptLimit)) FROM board_jobs"
    let kept = shell("sqlite3 \(store.path) '\(newest)'").output
    #expect(kept == "\(BenchStore.attemptLimit + 1)|\(BenchStore.attemptLimit)\n")
    #expect(try self.history(pi)?.jobs == 1)
  }

  @Test func verdictsCountFromTheTimeWhenABoardWasPutBack() throws {
    let store = try open()
    for job in 0..<3 { try store.note(Self.attempt(.failed(.target), job: job), of: rock) }
    try store.note(Self.attempt(.aborted, job: 3), of: rock)
    try store.note(Self.attempt(.ok, job: 4), of: rock)
    let failed = Verdict.failed(.target)
    #expect(try store.recentVerdicts(of: rock) == [failed, failed, failed, .ok])
    #expect(try store.recentVerdicts(of: rock, limit: 2) == [failed, .ok])
    try store.quarantine(rock, reason: "often")
    #expect(try store.recentVerdicts(of: rock).count == 4)
    #expect(try store.enable(rock))
    #expect(try store.recentVerdicts(of: rock) == [])
    try store.note(Self.attempt(failed, job: 5), of: rock)
    #expect(try store.recentVerdicts(of: rock) == [failed])
    #expect(try history()?.jobs == 5, "the history stays")
  }

  @Test func theHistoryBelongsToTheDeviceUnderAnyName() throws {
    let store = try open()
    let here = BenchResource(.board, "rock", bench: "/b", identity: "usb:1")
    let there = BenchResource(.board, "stone", bench: "/c", identity: "usb:1")
    try store.note(Self.attempt(.ok), of: here)
    try store.note(Self.attempt(.failed(.target), job: 1), of: there)
    #expect(try history(here)?.jobs == 2)
    #expect(try history(there)?.jobs == 2)
    #expect(try store.recentVerdicts(of: here) == [.ok, .failed(.target)])
    #expect(try store.enable(here) == false)
    try store.quarantine(there, reason: "sick")
    #expect(try store.enable(here))
    #expect(try store.recentVerdicts(of: there) == [])
  }

  @Test func hostileTextsAndNumbersAreKept() throws {
    let store = try open()
    var record = Self.attempt(.failed(.target))
    record.outcome.reason = "a\0b" + String(repeating: "x", count: 1 << 20)
    record.seconds = .nan
    try store.note(
      [record],
      [
        RecoveryRecord(
          run: "r'; DROP TABLE recoveries; --", finding: "\u{1b}[2J\0",
          steps: [.init("reset", seconds: .infinity, problem: "\"}]")], isBack: false,
          seconds: -.infinity)
      ], of: rock)
    let history = try #require(try history(recoveries: 1))
    #expect(history.lastRecoveries.first?.finding == "\u{1b}[2J\u{FFFD}")
    #expect(history.lastRecoveries.first?.run.hasPrefix("r';") == true)
    #expect(history.failures(.target) == 1)
    #expect(
      shell("sqlite3 \(store.path) 'SELECT length(reason) < 1100 FROM board_jobs'").output == "1\n")
  }

  /// Damage is told, and is neither a crash nor a number that nobody counted.
  @Test(arguments: [
    "UPDATE attempt_totals SET verdict = 'splendid'", "UPDATE attempt_totals SET attempts = -5",
    "UPDATE board_totals SET jobs = 9223372036854775807",
    "UPDATE recoveries SET steps = '[{'", "UPDATE board_totals SET flaky_jobs = -1"
  ])
  func damageIsTold(sql: String) throws {
    let store = try open()
    try store.note(
      [Self.attempt(.ok)],
      [RecoveryRecord(run: "r", finding: "f", steps: [], isBack: true, seconds: 1)], of: rock)
    store.close()
    try #require(shell("sqlite3 \(directory("bench.db")) \"\(sql)\"").code == 0)
    expectFailure(.corrupt) { try history(recoveries: 1) }
  }

  /// One transaction with many attempts costs each little; the limit is generous, since this machine may
  /// be busy.
  @Test func anAttemptCostsMicroseconds() throws {
    let store = try open()
    let records = (0..<256).map { Self.attempt(.ok, job: $0) }
    try store.note(records, of: rock)
    func processorNanoseconds() -> Int64 {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
    let begin = processorNanoseconds()
    for _ in 0..<20 { try store.note(records, of: rock) }
    let each = Double(processorNanoseconds() - begin) / (20 * 256) / 1000
    print("an attempt of a batch: \(each) µs of CPU")
    let single = processorNanoseconds()
    for job in 0..<50 { try store.note(Self.attempt(.failed(.target), job: job), of: rock) }
    print("an attempt alone: \(Double(processorNanoseconds() - single) / 50 / 1000) µs of CPU")
    #expect(each < 250)
  }
}
