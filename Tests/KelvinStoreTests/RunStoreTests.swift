import KelvinModel
import KelvinStore
import Testing

struct RunStoreTests {
  let directory = TemporaryDirectory()

  @Test func givesBackWhatWasPut() throws {
    let path = directory("run")
    let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: .current())
    let reader = try RunReader(directory: path)
    #expect(try reader.run().record == makeRun())
    #expect(try reader.plan() == makePlan())
    #expect(try reader.run().isInProgress)
    let attempt = try store.beginAttempt(job: 1, number: 1, startedWallNanoseconds: 77)
    try store.recordProcess(attempt: attempt, processID: 4321, startTicks: 99)
    #expect(
      try reader.job(1) == JobRecord(position: 1, spec: 1, iteration: 1, outcome: nil, attempts: 1))
    var result = makeResult(Outcome(.partial, "an instrument failed"))
    result.changes = ["argv": ["nice", "true"]]
    result.artifacts = [Artifact(name: "stdout", path: "jobs/1/stdout", kind: .log)]
    result.events = [
      EventRecord(.warning, source: "runner", "odd", time: MonotonicTime(nanoseconds: 5))
    ]
    try store.finishAttempt(attempt, result, jobOutcome: Outcome(.partial, "an instrument failed"))
    let record = try #require(try reader.lastAttempt(ofJob: 1))
    #expect(record.outcome == result.outcome)
    #expect(record.stages == result.stages)
    #expect(record.overhead == result.overhead)
    #expect(record.changes == result.changes)
    #expect(record.processID == 4321)
    #expect(record.startTicks == 99)
    #expect(try reader.fingerprint(try #require(record.fingerprint)) == result.fingerprint)
    #expect(try reader.metrics(ofAttempt: attempt) == result.metrics)
    #expect(try reader.artifacts(ofAttempt: attempt) == result.artifacts)
    #expect(try reader.events(ofAttempt: attempt) == result.events)
    try store.setRunState(.ended, outcome: Outcome(.partial, "1 of 4 jobs"))
    store.close()
    let info = try reader.run()
    #expect(info.state == .ended)
    #expect(info.outcome == Outcome(.partial, "1 of 4 jobs"))
    #expect(!info.isInProgress)
  }
}
