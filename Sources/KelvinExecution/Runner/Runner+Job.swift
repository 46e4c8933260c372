internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets
internal import Synchronization

extension Runner {
  /// Runs a job to its verdict: attempts until one is good enough or the retries are used up.
  ///
  /// - Throws: ``StoreFailure`` only.
  func runJob(
    _ pending: RunRequest.PendingJob, next: RunRequest.PendingJob?
  ) async throws {
    let planned = request.plan.jobs[pending.position]
    let spec = request.plan.specs[planned.spec]
    let isNewSpec = lastSpec != planned.spec
    await sendSpecStart(planned)
    var number = pending.attempts
    var counted = pending.countedAttempts
    while true {
      number += 1
      let attemptID = try run.store.beginAttempt(
        job: pending.position, number: number,
        startedWallNanoseconds: MonotonicTime.wallNanoseconds)
      let job = JobContext(
        run: run, spec: spec, position: pending.position, iteration: planned.iteration,
        attempt: number, attemptID: attemptID)
      tell(
        .jobStarted(
          position: pending.position, spec: spec, iteration: planned.iteration, attempt: number))
      let begin = MonotonicTime.now
      var result: AttemptResult
      var couldRun = couldRun(planned.spec)
      do {
        try await rebootIfDue(
          isFirst: !hasBegun, isNewSpec: isNewSpec && number == pending.attempts + 1)
        hasBegun = true
        lossOfBoard = nil
        result = await runAttempt(job, specIndex: planned.spec)
        let own = result.outcome
        result.outcome = await judgeBoard(own, job)
        // What the board is found to have done counts, whatever it looked like from inside.
        if own == result.outcome, job.state.withLock({ $0.askedInVain }) { couldRun = false }
        result.events = job.state.withLock { $0.events }
      } catch {
        let failure = PlainFailure(error)
        result = AttemptResult(
          run.stop.isRaised
            ? Outcome(.aborted, "stopped by \(request.stopReason())")
            : Outcome(.failed(failure.kind), failure.description))
        if !run.stop.isRaised {
          bailReason = failure.description
          hasLostBoard = true
        }
      }
      counted += 1
      let isRetried =
        result.outcome.verdict != .aborted
        && request.plan.settings.retryOnStatus.contains(result.outcome.verdict.status)
        && counted <= request.plan.settings.maxRetries
        && unusable[planned.spec] == nil && (bailReason == nil || goesOnElsewhere)
      if let error = run.log.writeError {
        result.events.append(
          EventRecord(.error, source: "runner", "run.log could not be written: \(error)"))
      }
      try run.store.finishAttempt(
        attemptID, result, jobOutcome: isRetried ? nil : result.outcome)
      logEnd(job, result.outcome, isRetried: isRetried)
      tell(
        .attemptEnded(
          AttemptReport(
            position: pending.position, specIndex: planned.spec, spec: spec,
            iteration: planned.iteration, attempt: number, outcome: result.outcome,
            jobOutcome: isRetried ? nil : result.outcome,
            metrics: result.metrics, couldRun: couldRun, duration: .now - begin)))
      guard isRetried, !run.stop.isRaised, bailReason == nil else {
        end(pending, planned, result.outcome, isRetried: isRetried)
        break
      }
      await send(.moment(.jobRestarted), job: job)
    }
    await send(.moment(.iterationEnded))
    await sendSpecEnd(planned, next: next)
  }

  /// Whether everything that a spec needs of the board is there, as far as it was known before its jobs.
  private func couldRun(_ spec: Int) -> Bool {
    unusable[spec] == nil
      && requiredMissing.isDisjoint(with: request.plan.specs[spec].augmentations)
  }

  private func end(
    _ pending: RunRequest.PendingJob, _ planned: PlannedJob, _ outcome: Outcome, isRetried: Bool
  ) {
    // Stopped between two attempts: the job keeps no verdict and a resume tries it again.
    if isRetried {
      tally.aborted += 1
      return
    }
    tally.count(outcome.verdict)
    if outcome.verdict != .ok, outcome.verdict != .partial, outcome.verdict != .aborted,
      request.plan.settings.bailOnJobFailure
    {
      bailReason =
        "job \(pending.position + 1) (\(request.plan.specs[planned.spec].id)) failed, and "
        + "bail_on_job_failure is set: \(outcome.reason)"
    }
  }

  private func logEnd(_ job: JobContext, _ outcome: Outcome, isRetried: Bool) {
    var line = "\(job.name): \(outcome.verdict.text)"
    if !outcome.reason.isEmpty { line += ": \(outcome.reason)" }
    if isRetried { line += "; it will be tried again" }
    run.log.log(.info, source: "runner", line)
  }

  // MARK: WA2's signals around specs and iterations

  private func sendSpecStart(_ planned: PlannedJob) async {
    if lastSpec != planned.spec {
      lastSpec = planned.spec
      await send(.moment(.specInitialized))
      await send(.moment(.specStarted))
    }
    await send(.moment(.iterationInitialized))
    await send(.moment(.iterationStarted))
  }

  /// Sent when the next job belongs to another spec.
  private func sendSpecEnd(_ planned: PlannedJob, next: RunRequest.PendingJob?) async {
    guard next.map({ request.plan.jobs[$0.position].spec }) != planned.spec else { return }
    await send(.moment(.specEnded))
  }
}
