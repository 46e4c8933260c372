import KelvinConnections
import KelvinExecution
import KelvinModel
import KelvinStore
import KelvinTargets
import Logging
import Synchronization
import Testing

/// What callbacks can rely on.
@Suite struct SignalTests {
  /// Says the name of every signal that it gets.
  struct Listener: Instrument {
    static let declaration = Declaration(.instrument, "listener", summary: "test")
    static let recorder = TaskLocal<Recorder?>(wrappedValue: nil)
    let recorder: Recorder?
    init(settings: [String: Value]) { recorder = Listener.recorder.get() }
    var hooks: [Hook] {
      Signal.all.map { signal in
        Hook(signal) { [recorder] context in recorder?.say(context.signal.name) }
      }
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func sendsTheSignalsOfARunInOrder() async throws {
    let recorder = Recorder()
    var fixture = RunFixture([.scripted(augmentations: ["listener"])])
    fixture.workloads = [ScriptedWorkload().type()]
    fixture.instruments = [Listener.self]
    _ = try await Listener.recorder.withValue(recorder) { try await fixture.run() }
    #expect(
      recorder.all == [
        "run-started", "before-run-init", "before-target-connect", "successful-target-connect",
        "after-target-connect", "before-workload-initialized", "successful-workload-initialized",
        "after-workload-initialized", "successful-run-init", "after-run-init", "run-initialized",
        "before-job-queue-execution", "spec-init", "workload-spec-start", "iteration-init",
        "iteration-start", "before-job", "job-started", "before-job-target-config",
        "successful-job-target-config", "after-job-target-config", "before-workload-setup",
        "successful-workload-setup", "after-workload-setup", "before-workload-execution",
        "successful-workload-execution", "after-workload-execution",
        "before-job-output-processed", "before-workload-result-extraction",
        "successful-workload-result-extraction", "after-workload-result-extraction",
        "before-workload-output-update", "successful-workload-output-update",
        "after-workload-output-update", "successful-job-output-processed",
        "after-job-output-processed", "before-workload-teardown", "successful-workload-teardown",
        "after-workload-teardown", "successful-job", "after-job", "job-completed",
        "iteration-end", "workload-spec-end", "successful-job-queue-execution",
        "after-job-queue-execution", "before-workload-finalized",
        "successful-workload-finalized", "after-workload-finalized", "run-completed",
        "run-finalized", "before-run-output-processed", "successful-run-output-processed",
        "after-run-output-processed", "before-target-disconnect",
        "successful-target-disconnect", "after-target-disconnect"
      ])
  }

  @Test(.timeLimit(.minutes(1)))
  func sendsAfterAndJobFailedWhenTheRunFails() async throws {
    let recorder = Recorder()
    var fixture = RunFixture([.scripted(augmentations: ["listener"])])
    fixture.workloads = [
      ScriptedWorkload(onRun: { _ in throw PlainFailure(.workload, "x") }).type()
    ]
    fixture.instruments = [Listener.self]
    _ = try await Listener.recorder.withValue(recorder) { try await fixture.run() }
    let all = recorder.all
    #expect(all.contains("before-workload-execution"))
    #expect(!all.contains("successful-workload-execution"))
    #expect(all.contains("after-workload-execution"))
    #expect(all.contains("after-workload-teardown"))
    #expect(all.contains("job-failed"))
    #expect(!all.contains("job-completed"))
  }

  /// Throws at the signals that its settings name, and says which callbacks were called.
  struct Thrower: Instrument {
    static let declaration = Declaration(.instrument, "thrower", summary: "test")
    let signal: String
    init(settings: [String: Value]) { signal = settings["at"]?.text ?? "" }
    var hooks: [Hook] {
      Signal.all.map { at in
        Hook(at, priority: .veryFast) { [signal] context in
          if context.signal.name == signal { throw PlainFailure(.target, "sensor fell off") }
        }
      }
    }
  }

  static let jobSignals = [
    "before-job", "before-workload-setup", "after-workload-setup", "before-workload-execution",
    "successful-workload-execution", "after-workload-execution",
    "after-workload-output-update", "after-workload-teardown"
  ]

  @Test(.timeLimit(.minutes(1)), arguments: jobSignals)
  func aThrowingCallbackMarksTheJobPartialAndBlocksNobody(signal: String) async throws {
    let recorder = Recorder()
    var fixture = RunFixture([.scripted(augmentations: ["thrower", "listener"])])
    fixture.workloads = [ScriptedWorkload().type()]
    fixture.instruments = [Thrower.self, Listener.self]
    fixture.settings = RunSettings(maxRetries: 0, augmentations: ["thrower": ["at": .text(signal)]])
    let result = try await Listener.recorder.withValue(recorder) { try await fixture.run() }
    let outcome = try #require(try result.outcomes()[0])
    #expect(outcome.verdict == .partial)
    #expect(outcome.reason.contains("thrower failed at signal '\(signal)': sensor fell off"))
    #expect(recorder.all.contains(signal))
    #expect(recorder.all.contains("after-workload-execution"))
    let attempt = try result.reader.attempts(ofJob: 0)[0]
    #expect(attempt.stages.teardown != nil)
  }

  @Test(.timeLimit(.minutes(1)), arguments: jobSignals)
  func aRequiredInstrumentFailsTheJobInstead(signal: String) async throws {
    var fixture = RunFixture([.scripted(augmentations: ["thrower"])])
    fixture.workloads = [ScriptedWorkload().type()]
    fixture.instruments = [Thrower.self]
    fixture.settings = RunSettings(
      maxRetries: 0, augmentations: ["thrower": ["at": .text(signal), "required": true]])
    let result = try await fixture.run()
    let outcome = try #require(try result.outcomes()[0])
    #expect(outcome.verdict == .failed(.target))
    #expect(outcome.reason.contains("required instrument thrower failed at signal '\(signal)'"))
  }

  /// Has nothing to measure.
  struct Absent: Instrument {
    static let declaration = Declaration(.instrument, "absent", summary: "test")
    init(settings: [String: Value]) {}
    func prepare(_ run: RunContext, until deadline: Deadline) async throws {
      throw InstrumentUnavailable("no such sensor")
    }
    var hooks: [Hook] {
      normal.start { _ in throw PlainFailure(.internal, "called although unavailable") }
    }
  }

  @Test(.timeLimit(.minutes(1)), arguments: [false, true])
  func anUnavailableInstrumentIsAWarningUnlessRequired(isRequired: Bool) async throws {
    var fixture = RunFixture([.scripted(augmentations: ["absent"])])
    fixture.workloads = [ScriptedWorkload().type()]
    fixture.instruments = [Absent.self]
    fixture.settings = RunSettings(
      maxRetries: 0, augmentations: ["absent": ["required": .boolean(isRequired)]])
    let result = try await fixture.run()
    #expect(try result.verdicts() == [isRequired ? "failed: target" : "ok"])
    let log = String(decoding: try HostFile.read(result.path + "/run.log"), as: UTF8.self)
    #expect(log.contains("absent: unavailable on this target: no such sensor"))
  }

  /// Reads from the target when the workload has ended, and says what was called after that.
  struct Reader: Instrument {
    static let declaration = Declaration(.instrument, "reader", summary: "test")
    static let recorder = TaskLocal<Recorder?>(wrappedValue: nil)
    let recorder: Recorder?
    init(settings: [String: Value]) { recorder = Reader.recorder.get() }
    var hooks: [Hook] {
      very_fast.stop { context in
        _ = try await context.target.connection.read("/proc/uptime", until: context.deadline)
      }
      normal.update_output { [recorder] _ in recorder?.say("target side") }
      normal.update_output { [recorder] _ in recorder?.say("host side") }.hostSide
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func onlyHostSideCallbacksAreCalledWhenTheTargetIsGone() async throws {
    let recorder = Recorder()
    let connection = FaultyConnection(base: LocalConnection())
    let workload = ScriptedWorkload(onRun: { _ in connection.isLost.value = true })
    var fixture = RunFixture([.scripted(augmentations: ["reader"])])
    fixture.workloads = [workload.type()]
    fixture.instruments = [Reader.self]
    fixture.connection = connection
    let result = try await Reader.recorder.withValue(recorder) { try await fixture.run() }
    #expect(recorder.all == ["host side"])
    let outcome = try #require(try result.outcomes()[0])
    #expect(outcome.verdict == .partial)
    #expect(outcome.reason.contains("the link is gone"))
  }

  /// Logs an error at each error that it is told of, and counts.
  struct Echo: Instrument {
    static let declaration = Declaration(.instrument, "echo", summary: "test")
    static let recorder = TaskLocal<Recorder?>(wrappedValue: nil)
    let recorder: Recorder?
    init(settings: [String: Value]) { recorder = Echo.recorder.get() }
    var hooks: [Hook] {
      normal.on_error { [recorder] context in
        recorder?.say(context.logged?.message ?? "")
        context.logger.error("echo of \(context.logged?.message ?? "")")
      }
      normal.start { context in context.logger.error("first") }
      normal.stop { context in context.logger.error("second") }
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func loggedSignalsReachCallbacksWithoutRecursion() async throws {
    let recorder = Recorder()
    var fixture = RunFixture([.scripted(augmentations: ["echo"])])
    fixture.workloads = [ScriptedWorkload().type()]
    fixture.instruments = [Echo.self]
    let result = try await Echo.recorder.withValue(recorder) { try await fixture.run() }
    #expect(recorder.all == ["first", "second"])
    let log = String(decoding: try HostFile.read(result.path + "/run.log"), as: UTF8.self)
    #expect(log.contains("echo of first"))
    #expect(log.contains("echo of second"))
  }

  @Test(.timeLimit(.minutes(1)))
  func workloadsAttachAndDetachCallbacksWhileTheRunGoesOn() async throws {
    let recorder = Recorder()
    let token = Mutex<Dispatcher.Token?>(nil)
    let workload = ScriptedWorkload(onSetup: { job in
      if job.iteration == 1 {
        let new = job.run.signals.attach(
          Hook(.after(.workloadExecution)) { context in
            recorder.say("iteration \(context.job?.iteration ?? 0)")
          }, owner: JobContext.workloadOwner)
        token.withLock { $0 = new }
      }
      if job.iteration == 3, let old = token.withLock({ $0 }) { job.run.signals.detach(old) }
    })
    var fixture = RunFixture([.scripted(iterations: 4)])
    fixture.workloads = [workload.type()]
    _ = try await fixture.run()
    #expect(recorder.all == ["iteration 1", "iteration 2"])
  }
}
