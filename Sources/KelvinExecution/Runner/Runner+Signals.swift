internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets
internal import Synchronization

/// How a wrapped body ended.
enum PhaseResult {
  case done
  case failed(any Error)

  /// Throws what ended the body.
  func get() throws { if case .failed(let error) = self { throw error } }

  /// Whether the body ended because the board could not be reached any more.
  var isLostConnection: Bool {
    if case .failed(let error) = self, let failure = error as? ConnectionFailure {
      return failure.code != .notFound && failure.kind == .infrastructure
    }
    return false
  }

  /// Throws only when results cannot be kept any more.
  func rethrowStoreFailure() throws {
    if case .failed(let error) = self, error is StoreFailure { throw error }
  }

  /// Says that the failure does not matter here.
  func ignore() {}
}

extension Runner {
  /// Sends `before`, runs the body, sends `successful` if it worked, and `after` in any case.
  func wrap(
    _ phase: Phase, job: JobContext? = nil, _ body: () async throws -> Void
  ) async -> PhaseResult {
    await send(.before(phase), job: job)
    var result = PhaseResult.done
    do {
      if let failure = job?.requiredFailure { throw failure }
      try await body()
      await send(.successful(phase), job: job)
    } catch {
      result = .failed(error)
    }
    await send(.after(phase), job: job)
    return result
  }

  /// Calls the callbacks of a signal. A callback that throws marks the job and never keeps the
  /// others from being called.
  func send(_ signal: Signal, job: JobContext? = nil) async {
    let registrations = run.signals.registrations(for: signal)
    if !registrations.isEmpty { await call(registrations, signal, job: job, logged: nil) }
    await sendLogged(job: job)
  }

  /// Sends what was logged since, as signals of its own. What callbacks log meanwhile is written,
  /// but sends nothing: there is no recursion.
  private func sendLogged(job: JobContext?) async {
    let pending = run.log.takePending()
    guard !pending.isEmpty else { return }
    run.log.suppress(true)
    for record in pending {
      let signal: Signal = .moment(record.level == .error ? .errorLogged : .warningLogged)
      let registrations = run.signals.registrations(for: signal)
      await call(registrations, signal, job: job, logged: record)
    }
    run.log.suppress(false)
  }

  private func call(
    _ registrations: [Dispatcher.Registration], _ signal: Signal, job: JobContext?,
    logged: LogRecord?
  ) async {
    for registration in registrations {
      if let job, !job.isEnabled(registration.owner) { continue }
      let isLost = !run.targetResponds || job?.alarm.isRaised == true
      if isLost, !registration.hook.isHostSide { continue }
      // After-callbacks must run even when the run is being stopped; the loss of the board ends all.
      let interrupt: Interrupt? =
        if case .before = signal { job?.deadline.interrupt ?? run.stop } else { job?.alarm }
      let timeout = registration.hook.timeout ?? Runner.callbackTimeout
      let context = SignalContext(
        signal: signal, run: run, job: job,
        deadline: .after(seconds: timeout, interrupt: interrupt), logged: logged,
        logger: run.log.logger(registration.owner))
      do {
        try await registration.hook.body(context)
      } catch {
        await note(error, of: registration.owner, at: signal, job: job)
      }
    }
  }

  /// Seconds that one callback may wait, unless it has a time of its own.
  static let callbackTimeout = 60.0

  private func note(
    _ error: any Error, of owner: String, at signal: Signal, job: JobContext?
  ) async {
    let failure = PlainFailure(error)
    let text = "\(owner) failed at signal '\(signal.name)': \(failure)"
    if let connection = error as? ConnectionFailure, connection.code == .connectionLost {
      run.targetResponds = await run.target.isResponsive()
    }
    guard let job else {
      run.log.log(.error, source: owner, text)
      return
    }
    job.record(.error, source: owner, text)
    if instruments.first(where: { $0.name == owner })?.isRequired == true {
      job.fail(
        PlainFailure(
          failure.kind, "required instrument \(text)", evidence: "", hint: ""))
    } else {
      job.markPartial(text)
    }
  }
}

extension JobContext {
  /// Whether an instrument's callbacks are called for this job; what workloads attached always is.
  func isEnabled(_ owner: String) -> Bool {
    owner == JobContext.workloadOwner || spec.augmentations.contains(owner)
  }

  /// The owner of callbacks that workloads attach.
  public static let workloadOwner = "workload"

  var requiredFailure: PlainFailure? { state.withLock { $0.requiredFailure } }

  /// Fails the job, the first failure counting.
  func fail(_ failure: PlainFailure) {
    state.withLock { state in
      if state.requiredFailure == nil { state.requiredFailure = failure }
    }
  }
}
