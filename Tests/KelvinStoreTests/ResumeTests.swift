import Glibc
import KelvinModel
import Testing

@testable import KelvinStore

struct ResumeTests {
  let directory = TemporaryDirectory()
  let path: String

  init() { path = directory("run") }

  @Test func listsWhatADeadLifeLeftOpen() throws {
    let dead = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife)
    try dead.runJob(0)
    let cut = try dead.beginAttempt(job: 1, number: 1, startedWallNanoseconds: 5)
    try dead.recordProcess(attempt: cut, processID: 4242, startTicks: 17)
    #expect(try dead.openAttempts().isEmpty, "its own attempts are not left open")
    // The files as a SIGKILL now would leave them.
    let copy = directory("copy")
    mkdir(copy, 0o777)
    for name in ["run.db", "run.db-wal"] {
      writeFile(copy + "/" + name, try #require(readFile(path + "/" + name)))
    }
    #expect(try RunReader(directory: copy).run().isCutOff)

    let store = try RunStore.resume(at: copy, life: .current())
    let open = try store.openAttempts()
    #expect(open.map(\.id) == [cut])
    #expect(open.map(\.processID) == [4242])
    #expect(open.map(\.startTicks) == [17])
    let aborted = Outcome(.aborted, "Kelvin died")
    try store.finishAttempt(cut, AttemptResult(aborted), jobOutcome: nil)
    #expect(try store.openAttempts().isEmpty)
    let again = try store.beginAttempt(job: 1, number: 2, startedWallNanoseconds: 6)
    try store.finishAttempt(again, makeResult(), jobOutcome: .ok)
    let reader = try RunReader(directory: copy)
    #expect(try reader.attempts(ofJob: 1).map(\.outcome) == [aborted, .ok])
    #expect(try reader.attempts(ofJob: 1).map(\.life) == [1, 2])
    #expect(try reader.jobs().map(\.outcome) == [.ok, .ok, nil, nil])
    #expect(try reader.run().lives.map(\.record.bootID).first == deadLife.bootID)
    #expect(try reader.run().isInProgress)
    // Both lives share one type of metric.
    #expect(try reader.metrics(ofAttempt: again) == makeResult().metrics)
    #expect(
      shell("sqlite3 \(copy)/run.db 'SELECT count(*) FROM metric_types'").output == "1\n"
        || !hasTool("sqlite3"))
  }

  @Test func refusesARunThatALiveProcessOwns() throws {
    let store = try RunStore.create(
      at: path, run: makeRun(), plan: makePlan(), life: .current())
    let error = expectFailure(.busy) { try RunStore.resume(at: path, life: .current()) }
    #expect(error?.message.contains("process \(getpid())") == true)
    try store.runJob(0)
    store.close()
    try RunStore.resume(at: path, life: .current()).close()
    #expect(try RunReader(directory: path).run().lives.count == 2)
  }

  @Test func ownsARunUntilTheLastReferenceGoes() throws {
    var store: RunStore? = try RunStore.create(
      at: path, run: makeRun(), plan: makePlan(), life: .current())
    try store?.runJob(0)
    store = nil
    #expect(try !RunReader(directory: path).run().isInProgress)
  }

  @Test func letsOneOfManyResumesWin() async throws {
    try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife).close()
    let stores = await withTaskGroup { group in
      for _ in 0..<8 {
        group.addTask { [path] in try? RunStore.resume(at: path, life: .current()) }
      }
      return await group.reduce(into: [RunStore?]()) { $0.append($1) }
    }
    #expect(stores.compactMap { $0 }.count == 1)
    #expect(try RunReader(directory: path).run().lives.count == 2)
  }

  @Test func continuesAnEndedRun() throws {
    let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife)
    try store.runJob(0)
    try store.finishJobs((1..<4).map { ($0, Outcome(.skipped, "SIGINT")) })
    try store.setRunState(.ended, outcome: Outcome(.aborted, "SIGINT"))
    store.close()
    let next = try RunStore.resume(at: path, life: .current())
    try next.setRunState(.running, outcome: nil)
    #expect(try next.reopenStoppedJobs().map(\.position) == [1, 2, 3])
    for job in 1..<4 { try next.runJob(job) }
    let info = try RunReader(directory: path).run()
    #expect(info.state == .running)
    #expect(info.outcome == nil)
    #expect(info.endedWallNanoseconds == nil)
    #expect(try RunReader(directory: path).verdictCounts() == [.ok: 4])
  }

  @Test func tellsAProcessFromALaterOneOfTheSameNumber() throws {
    let life = try LifeRecord.current()
    #expect(life.isAlive)
    var other = life
    other.startTicks += 1
    #expect(!other.isAlive)
    other = life
    other.bootID = deadLife.bootID
    #expect(!other.isAlive)
    other = life
    other.processID = .max
    #expect(!other.isAlive)
  }

  @Test func readsStartTicksOfAnyName() throws {
    // The kernel's own answer by another road: ps prints seconds only, so a name with parentheses
    // and spaces is tried, which would shift the fields.
    let name = directory("a) S 1 (b")
    guard shell("cp \"$(command -v sleep)\" '\(name)'").code == 0 else { return }
    let process = try #require(
      Int32(shell("'\(name)' 60 >/dev/null 2>&1 & echo $!").output.trimmingASCIIWhitespace))
    defer { kill(process, SIGKILL) }
    let ticks = try #require(LifeRecord.startTicks(of: process))
    let own = try #require(LifeRecord.startTicks(of: getpid()))
    #expect(ticks >= own)
    #expect(ticks - own < 100 * 3600)
  }

  @Test func findsNoRunWhereNoneIs() throws {
    expectFailure(.notFound) { try RunStore.resume(at: path, life: .current()) }
    mkdir(path, 0o777)
    expectFailure(.notFound) { try RunStore.resume(at: path, life: .current()) }
    expectFailure(.notFound) { try RunReader(directory: path) }
    writeFile(path + "/run.db", [])
    expectFailure(.notARun) { try RunStore.resume(at: path, life: .current()) }
    #expect(readFile(path + "/run.db") == [])
    unlink(path + "/run.db")
    mkdir(path + "/run.db", 0o777)
    expectFailure(.notARun) { try RunStore.resume(at: path, life: .current()) }
    expectFailure(.notARun) { try RunReader(directory: path) }
  }
}
