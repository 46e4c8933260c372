internal import Glibc
internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets
internal import Synchronization

// Health checks: what a board must pass to be trusted. Their jobs are none of the plan's: they have no
// position, no metrics in the store, and folders of their own (`checks/0001`).
extension Runner {
  /// Where specs are looked up, the check's stands before the plan's.
  static let checkIndex = -1

  /// The spec at an index of the plan, or the check's.
  func spec(at index: Int) -> JobSpec {
    if index == Runner.checkIndex, let check = request.plan.settings.healthCheck {
      return check.spec
    }
    return request.plan.specs[index]
  }

  /// Makes the check's workload, before any job: what the board does not have is no sickness of it.
  func initializeHealthCheck() async throws {
    guard let check = request.plan.settings.healthCheck else { return }
    do {
      try await initializeWorkload(Runner.checkIndex)
    } catch {
      let failure = PlainFailure(error)
      throw PlainFailure(
        failure.kind, "health check '\(check.spec.workload)': \(failure.message)",
        evidence: failure.evidence, hint: failure.hint)
    }
  }

  /// Checks the board before the next job, where that is due.
  ///
  /// - Returns: why no further job may begin; nil when one may.
  func checkIfDue() async -> String? {
    guard let check = request.plan.settings.healthCheck else { return nil }
    let cause: String
    if let jobs = jobsSinceCheck {
      guard let every = check.every, jobs >= every else {
        jobsSinceCheck = jobs + 1
        return nil
      }
      cause = "after \(jobs) job(s)"
    } else {
      guard check.times.contains(.start) else {
        jobsSinceCheck = 1
        return nil
      }
      cause = "at the start"
    }
    let problem = await trust(cause, after: nil)
    jobsSinceCheck = 1
    if let problem { distrust(problem) }
    return problem
  }

  /// Checks a board that is back, where the check says so; one that does not pass gets no further job.
  ///
  /// - Returns: why it cannot be trusted; nil when it can.
  func checkRecovered(by rung: Rung?) async -> String? {
    guard let check = request.plan.settings.healthCheck, check.times.contains(.recovery) else {
      return nil
    }
    jobsSinceCheck = 0
    let problem = await trust(rung.map { "after \($0.rawValue)" } ?? "after a reboot", after: rung)
    if let problem {
      bailReason = problem
      distrust(problem)
    }
    return problem
  }

  private func distrust(_ problem: String) {
    run.log.log(.error, source: HealthCheck.id, problem)
    guard !isInVain else { return }
    hasLostBoard = true
    request.isLost(problem)
  }

  /// Has the board checked; when it does not pass, brings it back once, from the next harder rung on,
  /// and has it checked again.
  ///
  /// - Returns: why it cannot be trusted; nil: it passes, or the run is stopped.
  private func trust(_ cause: String, after rung: Rung?) async -> String? {
    guard let check = request.plan.settings.healthCheck,
      let problem = await runCheck(check, cause)
    else { return nil }
    let finding = "\(run.target.name): health check '\(check.spec.workload)' failed: \(problem)"
    guard !isInVain, watchesBoard, request.plan.settings.rebootPolicy != .never else {
      return finding
    }
    let (steps, isBack) = await rescue(finding) {
      let ladder = ladder()
      let rungs =
        rung == nil && lossOfBoard?.kind == .hang
        ? ladder.rungs(from: .sysrq) : ladder.rungs(above: rung)
      return try await ladder.bringBack(rungs, interrupt: run.stop)
    }
    guard isBack else {
      if run.stop.isRaised { return nil }
      let text = steps.map(\.description).joined(separator: "; ")
      return "\(finding), and nothing brings it back (\(text))"
    }
    let last = steps.last?.rung.rawValue ?? ""
    guard let second = await runCheck(check, "after \(last)") else { return nil }
    return "\(finding); and again after \(last): \(second)"
  }

  /// Runs the check once.
  ///
  /// - Returns: what was wrong; nil: the board passed, or the run is stopped.
  private func runCheck(_ check: HealthCheck, _ cause: String) async -> String? {
    checks += 1
    let job = JobContext(
      run: run, spec: check.spec, position: Runner.checkIndex, iteration: checks, attempt: 1,
      attemptID: Int64(-1 - checks), folder: checkFolder())
    let begin = MonotonicTime.now
    lossOfBoard = nil
    isInVain = false
    let result = await runAttempt(job, specIndex: Runner.checkIndex)
    isInVain = job.state.withLock { $0.askedInVain }
    guard result.outcome.verdict != .aborted, !run.stop.isRaised else { return nil }
    var problem: String?
    if result.outcome.verdict != .ok {
      problem = "\(result.outcome.verdict.text): \(result.outcome.reason)"
    }
    if !isInVain, let change = await changeOfBoard(job) { problem = change }
    let report = HealthCheckReport(
      workload: check.spec.workload, cause: cause, problem: problem, duration: .now - begin)
    keep(result, report)
    run.targetResponds = problem == nil
    tell(.checked(report))
    return problem
  }

  /// What became of the board while it was checked; nil: it is as it was.
  private func changeOfBoard(_ job: JobContext) async -> String? {
    guard watchesBoard else { return nil }
    do throws(ConnectionFailure) {
      let now = try await BootState.read(
        through: run.target.connection, until: .after(seconds: 5, interrupt: run.stop))
      let change = BootChange(from: boot, to: now)
      boot = now
      guard case .rebooted(let evidence) = change else { return nil }
      guard job.expectsReboot else {
        return "it rebooted meanwhile: \(evidence.joined(separator: "; "))"
      }
    } catch {
      return "it does not answer: \(error.message)"
    }
    do {
      try await boardHasBooted()
      return nil
    } catch {
      return "it rebooted, and does not come up: \(PlainFailure(error).message)"
    }
  }

  /// Keeps what a check came to, as events and files of the run.
  private func keep(_ result: AttemptResult, _ report: HealthCheckReport) {
    let seconds = Double(report.duration / 1_000_000) / 1e3
    let summary = EventRecord(
      report.problem == nil ? .info : .error, source: HealthCheck.id,
      "health check \(checks) ('\(report.workload)', \(report.cause)): "
        + (report.problem ?? "passed, in \(seconds) s"))
    do {
      for event in result.events + [summary] { try run.store.record(event, attempt: nil) }
      try run.store.add(runArtifacts: result.artifacts)
    } catch {
      run.log.log(.error, source: HealthCheck.id, "\(PlainFailure(error))")
    }
    run.log.log(summary.level, source: summary.source, summary.message)
  }

  /// The next folder that no earlier life of the run has used.
  private func checkFolder() -> String {
    var number = checks
    while true {
      let digits = String(number)
      let folder = "checks/" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
      guard access(run.directory + "/" + folder, F_OK) == 0 else { return folder }
      number += 1
    }
  }
}
