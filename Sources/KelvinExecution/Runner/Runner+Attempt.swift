internal import Glibc
internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets
internal import Synchronization

extension Runner {
  /// Takes one attempt through its stages: setup, run, extract results, teardown.
  func runAttempt(_ job: JobContext, specIndex: Int) async -> AttemptResult {
    await runAttempt(Attempt(job: job), job, specIndex: specIndex)
  }

  private func runAttempt(
    _ attempt: Attempt, _ job: JobContext, specIndex: Int
  ) async -> AttemptResult {
    job.addFingerprint(targetFingerprint)
    job.addFingerprint(["board": run.target.name])
    if let values = fingerprints[specIndex] { job.addFingerprint(values) }
    noteUnavailable(job)
    let result = await wrap(.job, job: job) {
      await send(.moment(.jobStarted), job: job)
      try await wrap(.jobTargetConfiguration, job: job) {
        // What is deployed boots the board, which is nothing to be alarmed about.
        try await deploy(job)
        await beginWatch(attempt)
        job.deadline = .after(seconds: job.spec.timeouts.setup, interrupt: attempt.interrupt)
        try await applySettings(job)
      }.get()
      if let failure = unusable[specIndex] { throw failure }
      guard let workload = workloads[specIndex] else {
        throw PlainFailure(.internal, "no workload was made for spec '\(job.spec.id)'")
      }
      if run.stop.isRaised { throw PlainFailure(.infrastructure, "the run was stopped") }
      await runStages(workload, attempt)
    }
    if case .failed(let error) = result { attempt.fail(error) }
    await endWatch(attempt)
    do {
      try attempt.state.take(.end)
    } catch {
      attempt.fail(error)
    }
    let outcome = attempt.outcome(
      isStopped: run.stop.isRaised, stopReason: request.stopReason)
    await sendEnd(outcome, job: job)
    return attempt.result(outcome)
  }

  private func runStages(_ workload: any Workload, _ attempt: Attempt) async {
    let job = attempt.job
    let timeouts = job.spec.timeouts
    do {
      try enter(.beginSetup, attempt)
      try await stage(\.setup, timeouts.setup, isInterruptible: true, attempt) {
        try await wrap(.workloadSetup, job: job) {
          try await workload.setup(job)
        }.get()
        job.state.withLock { $0.originalLaunch = $0.launch }
      }
      try enter(.beginRun, attempt)
      try await stage(\.run, timeouts.run, isInterruptible: true, attempt) {
        if job.expectsReboot { await beginWatchAnew(attempt) }
        await beginWindow(job)
        let before = MonotonicTime.now
        let result = await wrap(.workloadExecution, job: job) {
          // What callbacks waited for is no time of the workload's.
          job.deadline = .after(seconds: timeouts.run, interrupt: attempt.interrupt)
          try await job.measure { try await workload.run(job) }
        }
        attempt.overhead = job.overhead(from: before, to: .now)
        // A board that is lost has other troubles.
        if !job.alarm.isRaised, !result.isLostConnection { await checkSettings(job) }
        try result.get()
      }
    } catch {
      attempt.fail(error)
    }
    // What there is, is saved, also after a failure: output, and what the instruments hold.
    if attempt.state == .running {
      do {
        try enter(.beginExtraction, attempt)
        try await stage(\.extract, timeouts.extract, isInterruptible: false, attempt) {
          try await wrap(.jobOutputProcessing, job: job) {
            let extraction = await wrap(.workloadResultExtraction, job: job) {
              guard !job.alarm.isRaised else { return }
              try await workload.extractResults(job)
            }
            let update = await wrap(.workloadOutputUpdate, job: job) {}
            try extraction.get()
            try update.get()
          }.get()
        }
      } catch {
        attempt.fail(error)
      }
    }
    do {
      try enter(.beginTeardown, attempt)
      try await stage(\.teardown, timeouts.teardown, isInterruptible: false, attempt) {
        try await wrap(.workloadTeardown, job: job) {
          // Nobody is there to hear it, and what is left goes with the boot.
          guard !job.alarm.isRaised else { return }
          try await workload.teardown(job)
        }.get()
      }
    } catch {
      attempt.fail(error)
    }
  }

  private func enter(_ event: AttemptState.Event, _ attempt: Attempt) throws {
    try attempt.state.take(event)
    guard attempt.job.position >= 0 else { return }
    tell(.stage(attempt.state, position: attempt.job.position))
  }

  private func stage(
    _ times: WritableKeyPath<StageTimes, Range<Int64>?>, _ seconds: Double, isInterruptible: Bool,
    _ attempt: Attempt, _ body: () async throws -> Void
  ) async throws {
    let begin = MonotonicTime.now.nanoseconds
    attempt.job.deadline = .after(
      seconds: seconds, interrupt: isInterruptible ? attempt.interrupt : attempt.job.alarm)
    defer { attempt.stages[keyPath: times] = begin..<max(begin, MonotonicTime.now.nanoseconds) }
    try await body()
  }

  /// An instrument that was asked for and is not there makes the job partial at best.
  private func noteUnavailable(_ job: JobContext) {
    guard !unavailable.isEmpty else { return }
    for name in job.spec.augmentations {
      guard let reason = unavailable[name] else { continue }
      if requiredMissing.contains(name) {
        job.fail(PlainFailure(.target, "required instrument \(name) is unavailable: \(reason)"))
      }
    }
  }

  private func sendEnd(_ outcome: Outcome, job: JobContext) async {
    switch outcome.verdict {
    case .ok, .partial: await send(.moment(.jobCompleted), job: job)
    case .failed: await send(.moment(.jobFailed), job: job)
    case .aborted, .skipped: await send(.moment(.jobAborted), job: job)
    }
  }
}

/// What an attempt has come to so far.
final class Attempt {
  let job: JobContext
  /// Stops what goes on: the run is to stop, or the board is lost.
  let interrupt: Interrupt
  var watch: BoardWatch?
  var supply: SupplyWatch?
  var state = AttemptState.starting
  var stages = StageTimes()
  var overhead: Overhead?
  private(set) var failure: PlainFailure?
  /// What the board did to it. That decides, whatever it looked like from inside.
  private(set) var loss: PlainFailure?
  private var isInterrupted = false

  init(job: JobContext) {
    self.job = job
    interrupt = Interrupt(with: [job.run.stop, job.alarm])
  }

  /// Notes a failure; the first one decides the verdict, later ones are recorded.
  func fail(_ error: any Error) {
    let failure = PlainFailure(error)
    if let connection = error as? ConnectionFailure, connection.code == .interrupted,
      job.run.stop.isRaised
    {
      isInterrupted = true
    }
    if self.failure == nil {
      self.failure = failure
      let isInVain = (error as? ConnectionFailure)?.isOfTheAsked ?? false
      job.state.withLock { $0.askedInVain = isInVain }
    } else if self.failure != failure {
      job.record(.error, source: "runner", "then also: \(failure)")
    }
  }

  /// Notes that the board was lost.
  func lose(_ loss: PlainFailure) {
    self.loss = loss
    job.state.withLock { $0.askedInVain = false }
    guard let failure else { return }
    job.record(.info, source: "runner", "what came of that: \(failure)")
  }

  func outcome(isStopped: Bool, stopReason: () -> String) -> Outcome {
    if isInterrupted || (isStopped && failure != nil) {
      return Outcome(.aborted, "stopped by \(stopReason())")
    }
    if let failure = loss ?? failure ?? job.requiredFailure {
      return Outcome(.failed(failure.kind), failure.description)
    }
    let reasons = job.state.withLock { $0.partialReasons }
    guard let first = reasons.first else { return .ok }
    let more = reasons.count > 1 ? " (and \(reasons.count - 1) more)" : ""
    return Outcome(.partial, first + more)
  }

  func result(_ outcome: Outcome) -> AttemptResult {
    var result = AttemptResult(outcome)
    result.stages = stages
    result.overhead = overhead
    job.state.withLock { state in
      result.metrics = state.metrics
      result.artifacts = state.artifacts
      result.events = state.events
      result.fingerprint = state.fingerprint
      result.changes = state.changes
    }
    return result
  }
}

extension ConnectionFailure {
  /// Whether what was asked for is not there, or not for us, while the board and its link are as they
  /// should be.
  fileprivate var isOfTheAsked: Bool {
    switch code {
    case .notFound, .permissionDenied, .unsupported, .hostFile: true
    case .system(let error):
      // What is wrong with the call, and not with what carries it out.
      [E2BIG, ENOEXEC, ENOTDIR, EISDIR, ENAMETOOLONG, EINVAL].contains(error.rawValue)
    default: false
    }
  }
}
