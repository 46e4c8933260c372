import Glibc
import KelvinModel
import Testing

@testable import KelvinStore

/// What a SIGKILL and a power cut leave. A killed process leaves the files as they are at that
/// moment; a power cut may also lose what was written to the log but not yet synchronized.
struct DurabilityTests {
  static let seed: UInt64 = 20_261_121
  let directory = TemporaryDirectory()
  let path: String

  init() { path = directory("run") }

  /// The files as they are now.
  private func snapshot(logLength: Int? = nil) throws -> String {
    let copy = directory("copy")
    try? removeTree(copy)
    mkdir(copy, 0o777)
    writeFile(copy + "/run.db", try #require(readFile(path + "/run.db")))
    if let log = readFile(path + "/run.db-wal") {
      writeFile(copy + "/run.db-wal", log.prefix(logLength ?? log.count))
    }
    return copy
  }

  /// Each commit that returned before the kill is there, the light ones too.
  @Test(.timeLimit(.minutes(5))) func keepsEveryCommitOfAKilledProcess() throws {
    var generator = SeededGenerator(seed: Self.seed)
    let store = try RunStore.create(
      at: path, run: makeRun(), plan: makePlan(iterations: 100), life: deadLife)
    for job in 0..<200 {
      let steps = Int.random(in: 0..<12, using: &generator)
      let attempt = try store.beginAttempt(job: job, number: 1, startedWallNanoseconds: 1)
      if steps == 1 {
        let reader = try RunReader(directory: try snapshot())
        #expect(try reader.lastAttempt(ofJob: job)?.id == attempt)
      }
      try store.recordProcess(attempt: attempt, processID: 7, startTicks: 8)
      if steps == 2 {
        let reader = try RunReader(directory: try snapshot())
        #expect(try reader.lastAttempt(ofJob: job)?.processID == 7)
      }
      try store.finishAttempt(attempt, makeResult(), jobOutcome: .ok)
      if steps == 3 { try expect(jobs: job + 1, in: try snapshot()) }
      if job == 120 { try store.checkpoint() }
    }
  }

  /// A log that ends anywhere gives a beginning of the history, none of it in part.
  @Test(.timeLimit(.minutes(5))) func keepsAPrefixOfHistoryWhenTheLogIsCut() throws {
    var generator = SeededGenerator(seed: Self.seed)
    let store = try RunStore.create(
      at: path, run: makeRun(), plan: makePlan(iterations: 30), life: deadLife)
    let start = try #require(readFile(path + "/run.db-wal")).count
    // Where the log stood after each job: what is cut behind that must not touch the job.
    var lengths: [Int] = []
    for job in 0..<60 {
      try store.runJob(job)
      lengths.append(try #require(readFile(path + "/run.db-wal")).count)
    }
    let whole = try #require(lengths.last)
    for _ in 0..<60 {
      let length = Int.random(in: start...whole, using: &generator)
      let copy = try snapshot(logLength: length)
      try expect(jobs: lengths.count { $0 <= length }, in: copy)
      // A resume goes on from there.
      let resumed = try RunStore.resume(at: copy, life: .current())
      for attempt in try resumed.openAttempts() {
        try resumed.finishAttempt(
          attempt.id, AttemptResult(Outcome(.aborted, "cut")), jobOutcome: nil)
      }
      resumed.close()
    }
  }

  /// The log may hold rubbish behind what was synchronized.
  @Test(.timeLimit(.minutes(5))) func keepsAPrefixOfHistoryWhenTheLogsEndIsDamaged() throws {
    var generator = SeededGenerator(seed: Self.seed)
    let store = try RunStore.create(
      at: path, run: makeRun(), plan: makePlan(iterations: 30), life: deadLife)
    let created = try #require(readFile(path + "/run.db-wal")).count
    var lengths: [Int] = []
    for job in 0..<60 {
      try store.runJob(job)
      lengths.append(try #require(readFile(path + "/run.db-wal")).count)
    }
    let log = try #require(readFile(path + "/run.db-wal"))
    for _ in 0..<30 {
      let start = Int.random(in: created..<log.count, using: &generator)
      let copy = try snapshot()
      var damaged = log
      for index in start..<min(start + 512, log.count) {
        damaged[index] = UInt8.random(in: 0...255, using: &generator)
      }
      writeFile(copy + "/run.db-wal", damaged)
      let jobs = try RunReader(directory: copy).jobs()
      let done = jobs.prefix { $0.outcome != nil }.count
      #expect(jobs.dropFirst(done).allSatisfy { $0.outcome == nil })
      #expect(done >= lengths.count { $0 <= start })
      try expect(jobs: done, in: copy)
    }
  }

  /// Exactly the first `count` jobs have ended, each with all that belongs to it.
  private func expect(jobs count: Int, in copy: String) throws {
    let reader = try RunReader(directory: copy)
    for job in try reader.jobs() {
      #expect((job.outcome != nil) == (job.position < count), "job \(job.position) of \(count)")
      guard job.outcome != nil else { continue }
      let attempt = try #require(try reader.lastAttempt(ofJob: job.position))
      #expect(attempt.outcome == .ok)
      #expect(attempt.stages == makeResult().stages)
      #expect(try reader.metrics(ofAttempt: attempt.id) == makeResult().metrics)
      #expect(try reader.fingerprint(attempt.fingerprint ?? -1) == makeResult().fingerprint)
    }
  }
}
