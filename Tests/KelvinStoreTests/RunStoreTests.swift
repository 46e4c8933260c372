import Glibc
import KelvinModel
import Testing

@testable import KelvinStore

struct RunStoreTests {
  let directory = TemporaryDirectory()
  let path: String

  init() { path = directory("run") }

  @Test func givesBackWhatWasPut() throws {
    let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: .current())
    let reader = try RunReader(directory: path)
    #expect(try reader.run().record == makeRun())
    #expect(try reader.run().state == .new)
    #expect(try reader.run().isInProgress)
    #expect(try reader.plan() == makePlan())
    let attempt = try store.beginAttempt(job: 1, number: 1, startedWallNanoseconds: 77)
    try store.recordProcess(attempt: attempt, processID: 4321, startTicks: .max)
    #expect(
      try reader.job(1)
        == JobRecord(position: 1, spec: 1, iteration: 1, outcome: nil, attempts: 1))
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
    #expect(record.startedWallNanoseconds == 77)
    #expect(record.processID == 4321)
    #expect(record.startTicks == .max)
    #expect(try reader.fingerprint(try #require(record.fingerprint)) == result.fingerprint)
    #expect(try reader.metrics(ofAttempt: attempt) == result.metrics)
    #expect(try reader.artifacts(ofAttempt: attempt) == result.artifacts)
    #expect(try reader.events(ofAttempt: attempt) == result.events)
    #expect(try reader.verdictCounts() == [.partial: 1, nil: 3])
  }

  @Test func endsARunInOneFile() throws {
    let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: .current())
    try store.setRunState(.running, outcome: nil)
    try store.finishJobs((0..<4).map { ($0, Outcome(.skipped, "interrupted")) })
    try store.add(
      runArtifacts: [Artifact(name: "csv", path: "results.csv", kind: .export)],
      runMetrics: [Metric("duration", .integer(3), unit: "s")])
    try store.add(runArtifacts: [
      Artifact(name: "csv", path: "results.csv", kind: .export, description: "again")
    ])
    try store.record(
      EventRecord(.info, source: "runner", "SIGINT", time: MonotonicTime(nanoseconds: 9)),
      attempt: nil)
    try store.setRunState(.ended, outcome: Outcome(.aborted, "interrupted"))
    store.close()
    store.close()
    #expect(FileIdentity(of: path + "/run.db-wal") == nil)
    #expect(FileIdentity(of: path + "/run.db-shm") == nil)
    let reader = try RunReader(directory: path)
    let info = try reader.run()
    #expect(info.state == .ended)
    #expect(info.outcome == Outcome(.aborted, "interrupted"))
    #expect(info.endedWallNanoseconds != nil)
    #expect(!info.isInProgress)
    #expect(!info.isCutOff)
    #expect(try reader.jobs().allSatisfy { $0.outcome?.verdict == .skipped && $0.attempts == 0 })
    #expect(try reader.artifacts(ofAttempt: nil).map(\.description) == ["again"])
    #expect(try reader.runMetrics() == [Metric("duration", .integer(3), unit: "s")])
    #expect(try reader.events(ofAttempt: nil).map(\.message) == ["SIGINT"])
    expectFailure(.misuse) { try store.setRunState(.running, outcome: nil) }
  }

  @Test func refusesToCreateWhereARunIs() throws {
    try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife).close()
    expectFailure(.exists) {
      try RunStore.create(at: path, run: makeRun(name: "b"), plan: makePlan(), life: deadLife)
    }
    #expect(try RunReader(directory: path).run().record.name == "test")
  }

  @Test func leavesNothingBehindWhenCreationFails() throws {
    let plan = Plan(settings: .init(), specs: [], jobs: [PlannedJob(spec: 3, iteration: 1)])
    expectFailure(.misuse) {
      try RunStore.create(at: path, run: makeRun(), plan: plan, life: deadLife)
    }
    #expect(shell("ls -A \(path)").output == "")
  }

  @Test func namesThePathThatCannotBeMade() throws {
    writeFile(directory("file"), [])
    let error = #expect(throws: StoreFailure.self) {
      try RunStore.create(
        at: directory("file/run"), run: makeRun(), plan: makePlan(), life: deadLife)
    }
    #expect(error?.message.hasPrefix(directory("file")) == true)
    #expect(error?.hint.isEmpty == false)
  }

  @Test func endsAnAttemptAndItsJobOnce() throws {
    let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife)
    let first = try store.beginAttempt(job: 0, number: 1, startedWallNanoseconds: 1)
    try store.finishAttempt(first, AttemptResult(Outcome(.failed(.workload), "1")), jobOutcome: nil)
    expectFailure(.misuse) {
      try store.finishAttempt(first, AttemptResult(.ok), jobOutcome: .ok)
    }
    let second = try store.beginAttempt(job: 0, number: 2, startedWallNanoseconds: 1)
    try store.finishAttempt(second, makeResult(), jobOutcome: .ok)
    expectFailure(.misuse) { try store.finishJobs([(0, Outcome(.skipped, "x"))]) }
    expectFailure(.misuse) { try store.finishJobs([(9, Outcome(.skipped, "x"))]) }
    expectFailure(.misuse) {
      _ = try store.beginAttempt(job: 0, number: 2, startedWallNanoseconds: 1)
    }
    expectFailure(.misuse) {
      _ = try store.beginAttempt(job: 9, number: 1, startedWallNanoseconds: 1)
    }
    let reader = try RunReader(directory: path)
    #expect(try reader.attempts(ofJob: 0).map(\.outcome?.verdict) == [.failed(.workload), .ok])
    #expect(try reader.job(0)?.outcome == .ok)
  }

  @Test(arguments: [
    MetricValue.integer(.min), .integer(.max), .integer(0), .number(5), .number(-0.0),
    .number(.infinity), .number(-.infinity), .number(.nan), .number(.leastNonzeroMagnitude),
    .text(""),
    .text("5"), .text("naïve ✓")
  ])
  func keepsValuesExactly(value: MetricValue) throws {
    let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife)
    let attempt = try store.beginAttempt(job: 0, number: 1, startedWallNanoseconds: 1)
    var result = AttemptResult(.ok)
    result.metrics = [Metric("m", value)]
    try store.finishAttempt(attempt, result, jobOutcome: .ok)
    let read = try #require(
      try RunReader(directory: path).metrics(ofAttempt: attempt).first
    ).value
    // NaN differs from itself.
    #expect("\(read)" == "\(value)")
  }

  @Test func keepsMetricsOfOneNameApart() throws {
    let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife)
    var metrics: [Metric] = []
    for classifiers in [[:], ["cpu": "0"], ["cpu": "1"], ["a\"b\\\n": "\u{1F600}\u{7f}"]] {
      for lower in [nil, true, false] {
        for unit in ["", "s"] {
          metrics.append(
            Metric(
              "m", .integer(Int64(metrics.count)), unit: unit, lowerIsBetter: lower,
              classifiers: classifiers, source: unit))
        }
      }
    }
    for job in 0..<2 {
      var result = AttemptResult(.ok)
      result.metrics = metrics
      let attempt = try store.beginAttempt(job: job, number: 1, startedWallNanoseconds: 1)
      try store.finishAttempt(attempt, result, jobOutcome: .ok)
      #expect(try RunReader(directory: path).metrics(ofAttempt: attempt) == metrics)
    }
  }

  @Test func keepsTextThatIsNotText() throws {
    let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife)
    let attempt = try store.beginAttempt(job: 0, number: 1, startedWallNanoseconds: 1)
    let long = String(repeating: "x", count: 3 << 20)
    var result = AttemptResult(Outcome(.failed(.workload), "a\0b"))
    result.events = [EventRecord(.error, source: "s", long)]
    try store.finishAttempt(attempt, result, jobOutcome: result.outcome)
    let reader = try RunReader(directory: path)
    #expect(try reader.lastAttempt(ofJob: 0)?.outcome?.reason == "a\u{FFFD}b")
    let message = try #require(try reader.events(ofAttempt: attempt).first).message
    #expect(message.hasSuffix("xx [cut: 2097152 bytes more]"))
    #expect(message.utf8.count < 1 << 20 + 100)
  }

  @Test func keepsEqualFingerprintsOnce() throws {
    let store = try RunStore.create(
      at: path, run: makeRun(), plan: makePlan(iterations: 3), life: deadLife)
    for (job, kernel) in ["a", "a", "b", "a", "b"].enumerated() {
      var result = AttemptResult(.ok)
      result.fingerprint = ["kernel": kernel]
      let attempt = try store.beginAttempt(job: job, number: 1, startedWallNanoseconds: 1)
      try store.finishAttempt(attempt, result, jobOutcome: .ok)
    }
    let reader = try RunReader(directory: path)
    let ids = try (0..<5).map { try reader.lastAttempt(ofJob: $0)?.fingerprint }
    #expect(ids[0] == ids[1] && ids[0] == ids[3] && ids[2] == ids[4] && ids[0] != ids[2])
  }

  @Test func takesWritesFromManyThreads() async throws {
    let store = try RunStore.create(at: path, run: makeRun(), plan: makePlan(), life: deadLife)
    await withTaskGroup { group in
      for task in 0..<4 {
        group.addTask {
          for index in 0..<50 {
            try? store.record(EventRecord(.info, source: "\(task)", "\(index)"), attempt: nil)
          }
        }
      }
    }
    let events = try RunReader(directory: path).events(ofAttempt: nil)
    #expect(events.count == 200)
    for task in 0..<4 {
      #expect(
        events.filter { $0.source == "\(task)" }.map(\.message) == (0..<50).map { "\($0)" })
    }
  }
}
