import KelvinConnections
import KelvinExecution
import KelvinModel
import KelvinStore
import KelvinSystem
import Testing

/// The life cycle of jobs and attempts, on the real store and the real local connection.
@Suite struct LifeCycleTests {
  @Test(.timeLimit(.minutes(1)))
  func runsTheFourStagesInOrder() async throws {
    let recorder = Recorder()
    let workload = ScriptedWorkload(
      onInitialize: { _ in recorder.say("initialize") },
      onSetup: { _ in recorder.say("setup") }, onRun: { _ in recorder.say("run") },
      onExtract: { job in
        recorder.say("extract")
        job.add(Metric("answer", .integer(42), unit: "points"))
      },
      onTeardown: { _ in recorder.say("teardown") })
    var fixture = RunFixture([.scripted(iterations: 2)])
    fixture.workloads = [workload.type()]
    let result = try await fixture.run()
    #expect(
      recorder.all == [
        "initialize", "setup", "run", "extract", "teardown", "setup", "run", "extract", "teardown"
      ])
    #expect(result.outcome == .ok)
    #expect(try result.verdicts() == ["ok", "ok"])
    for position in 0...1 {
      let attempts = try result.reader.attempts(ofJob: position)
      #expect(attempts.count == 1)
      let metrics = try result.reader.metrics(ofAttempt: attempts[0].id)
      #expect(metrics.map(\.name) == ["answer"])
      #expect(metrics.first?.value == .integer(42))
      let stages = attempts[0].stages
      let setup = try #require(stages.setup)
      let run = try #require(stages.run)
      let extract = try #require(stages.extract)
      let teardown = try #require(stages.teardown)
      #expect(setup.upperBound <= run.lowerBound)
      #expect(run.upperBound <= extract.lowerBound)
      #expect(extract.upperBound <= teardown.lowerBound)
    }
  }

  enum Stage: String, CaseIterable, Sendable { case setup, run, extract, teardown }

  @Test(.timeLimit(.minutes(1)), arguments: Stage.allCases)
  func tearsDownWhicheverStageFails(failing: Stage) async throws {
    let recorder = Recorder()
    @Sendable func act(_ stage: Stage) throws {
      recorder.say(stage.rawValue)
      if stage == failing { throw PlainFailure(.workload, "\(stage.rawValue) broke") }
    }
    let workload = ScriptedWorkload(
      onSetup: { _ in try act(.setup) }, onRun: { _ in try act(.run) },
      onExtract: { _ in try act(.extract) }, onTeardown: { _ in try act(.teardown) })
    var fixture = RunFixture([.scripted()])
    fixture.workloads = [workload.type()]
    let result = try await fixture.run()
    let expected: [String] =
      switch failing {
      case .setup: ["setup", "teardown"]
      case .run, .extract, .teardown: ["setup", "run", "extract", "teardown"]
      }
    #expect(recorder.all == expected)
    let outcome = try #require(try result.outcomes()[0])
    #expect(outcome.verdict == .failed(.workload))
    #expect(outcome.reason == "\(failing.rawValue) broke")
  }

  @Test(.timeLimit(.minutes(1)))
  func retriesFailedJobsAndKeepsAttemptsApart() async throws {
    let workload = ScriptedWorkload(onRun: { job in
      job.add(Metric("attempt seen", .integer(Int64(job.attempt))))
      if job.attempt < 3 { throw PlainFailure(.workload, "not yet") }
    })
    var fixture = RunFixture([.scripted()])
    fixture.workloads = [workload.type()]
    fixture.settings = RunSettings(maxRetries: 2)
    let result = try await fixture.run()
    #expect(try result.verdicts() == ["ok"])
    let attempts = try result.reader.attempts(ofJob: 0)
    #expect(attempts.map(\.number) == [1, 2, 3])
    #expect(
      attempts.map { $0.outcome?.verdict.text } == ["failed: workload", "failed: workload", "ok"])
    for attempt in attempts {
      let values = try result.reader.metrics(ofAttempt: attempt.id).map(\.value)
      #expect(values == [.integer(Int64(attempt.number))])
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func endsRetriesWhenTheyAreUsedUp() async throws {
    let workload = ScriptedWorkload(onRun: { _ in throw PlainFailure(.workload, "never") })
    var fixture = RunFixture([.scripted()])
    fixture.workloads = [workload.type()]
    fixture.settings = RunSettings(maxRetries: 1)
    let result = try await fixture.run()
    #expect(try result.verdicts() == ["failed: workload"])
    #expect(try result.reader.attempts(ofJob: 0).count == 2)
    #expect(result.outcome.verdict == .failed(.workload))
  }

  @Test(.timeLimit(.minutes(1)))
  func retriesOnlyOnTheStatusesThatAreListed() async throws {
    let workload = ScriptedWorkload(onRun: { _ in throw PlainFailure(.workload, "never") })
    var fixture = RunFixture([.scripted()])
    fixture.workloads = [workload.type()]
    fixture.settings = RunSettings(retryOnStatus: [.partial], maxRetries: 5)
    let result = try await fixture.run()
    #expect(try result.reader.attempts(ofJob: 0).count == 1)
  }

  @Test(.timeLimit(.minutes(1)))
  func bailsOutOnAFailedJobWhenAsked() async throws {
    let workload = ScriptedWorkload(onRun: { job in
      if job.iteration == 2 { throw PlainFailure(.workload, "broken") }
    })
    var fixture = RunFixture([.scripted(iterations: 4)])
    fixture.workloads = [workload.type()]
    fixture.settings = RunSettings(maxRetries: 0, bailOnJobFailure: true)
    let result = try await fixture.run()
    #expect(try result.verdicts() == ["ok", "failed: workload", "skipped", "skipped"])
    let reason = try result.outcomes()[3]?.reason ?? ""
    #expect(reason.contains("bail_on_job_failure"))
  }

  @Test(.timeLimit(.minutes(1)))
  func bailsOutOnAFailedInitializationBeforeAnyJob() async throws {
    let recorder = Recorder()
    let workload = ScriptedWorkload(
      onInitialize: { _ in throw PlainFailure(.target, "fio: not found", hint: "install fio") },
      onSetup: { _ in recorder.say("setup") })
    var fixture = RunFixture([.scripted(iterations: 2)])
    fixture.workloads = [workload.type()]
    let result = try await fixture.run()
    #expect(try result.verdicts() == ["skipped", "skipped"])
    #expect(recorder.all.isEmpty)
    #expect(result.outcome.reason.contains("fio: not found"))
  }

  @Test(.timeLimit(.minutes(1)))
  func failsOnlyTheJobsOfAnUnusableWorkloadWhenToldToGoOn() async throws {
    let broken = ScriptedWorkload(onInitialize: { _ in throw PlainFailure(.target, "no tool") })
    var fixture = RunFixture([
      JobSpec(id: "wk1", label: "wk1", workload: "broken"), .scripted("wk2")
    ])
    fixture.workloads = [broken.type("broken"), ScriptedWorkload().type()]
    fixture.settings = RunSettings(maxRetries: 2, bailOnInitFailure: false)
    let result = try await fixture.run()
    #expect(try result.verdicts() == ["failed: target", "ok"])
    #expect(try result.reader.attempts(ofJob: 0).count == 1)
  }

  @Test(.timeLimit(.minutes(1)))
  func endsAWorkloadAtItsStageTimeout() async throws {
    let workload = ScriptedWorkload(
      onSetup: { $0.launch = Launch(argv: ["sleep", "60"]) },
      onRun: { try await $0.runLaunch() })
    var fixture = RunFixture([.scripted(timeouts: StageTimeouts(run: 0.2))])
    fixture.workloads = [workload.type()]
    let result = try await fixture.run()
    #expect(try result.verdicts() == ["failed: timeout"])
    let attempt = try #require(try result.reader.attempts(ofJob: 0).first)
    let process = try #require(attempt.processID)
    #expect(ProcessIdentity(processID: process)?.startTicks != attempt.startTicks)
  }

  @Test(.timeLimit(.minutes(1)))
  func abortsTheRunningJobAndSkipsTheRestWhenStopped() async throws {
    let stop = Interrupt()
    let recorder = Recorder()
    let workload = ScriptedWorkload(
      onSetup: { $0.launch = Launch(argv: ["sleep", "60"]) },
      onRun: { job in
        stop.raise()
        try await job.runLaunch()
      },
      onTeardown: { _ in recorder.say("teardown") })
    var fixture = RunFixture([.scripted(iterations: 3)])
    fixture.workloads = [workload.type()]
    fixture.settings = RunSettings(maxRetries: 2)
    fixture.stop = stop
    let result = try await fixture.run()
    #expect(try result.verdicts() == ["aborted", "skipped", "skipped"])
    #expect(try result.outcomes()[0]?.reason == "stopped by SIGINT")
    #expect(recorder.all == ["teardown"])
    #expect(result.outcome.verdict == .aborted)
  }

  @Test(.timeLimit(.minutes(1)))
  func recordsWhatCallbacksChangedAboutTheLaunch() async throws {
    struct Changer: Instrument {
      static let declaration = Declaration(.instrument, "changer", summary: "test")
      init(settings: [String: Value]) {}
      var hooks: [Hook] {
        slow.start { context in
          let job = try context.requireJob()
          job.launch?.argv.insert("env", at: 0)
          job.launch?.environment["COLOR"] = "green"
          job.launch?.affinity = [0]
          job.launch?.niceness = 5
        }
      }
    }
    let workload = ScriptedWorkload(
      onSetup: {
        $0.launch = Launch(argv: ["sh", "-c", "echo $COLOR; nice; exit 0"])
      },
      onRun: { try await $0.runLaunch() })
    var fixture = RunFixture([.scripted(augmentations: ["changer"])])
    fixture.workloads = [workload.type()]
    fixture.instruments = [Changer.self]
    let result = try await fixture.run()
    #expect(try result.verdicts() == ["ok"])
    let attempt = try #require(try result.reader.attempts(ofJob: 0).first)
    #expect(attempt.changes["affinity"] == "0")
    #expect(attempt.changes["niceness"] == 5)
    #expect(attempt.changes["environment"] == ["COLOR": "green"])
    #expect(attempt.changes["argv"]?.list?.first == "env")
    let stdout = try HostFile.read(result.path + "/jobs/0001-wk1-1/attempt-1/stdout")
    #expect(String(decoding: stdout, as: UTF8.self) == "green\n5\n")
    let overhead = try #require(attempt.overhead)
    #expect(overhead.cpuInsideWindow > 0)
    #expect(overhead.beforeWindow > 0)
    #expect(overhead.afterWindow > 0)
  }

  @Test(.timeLimit(.minutes(1)))
  func storesTheTargetsFingerprintOnce() async throws {
    var fixture = RunFixture([.scripted(iterations: 3)])
    fixture.workloads = [ScriptedWorkload().type()]
    let result = try await fixture.run()
    let ids = Set(try (0..<3).map { try result.reader.attempts(ofJob: $0)[0].fingerprint })
    #expect(ids.count == 1)
  }
}
