internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets
internal import Synchronization

// Reboots: those that the policy asks for, and those that nobody asked for.
extension Runner {
  /// Reboots before a job where the policy says so.
  ///
  /// - Parameters:
  ///   - isFirst: of all jobs of the run.
  ///   - isNewSpec: whether the job before belongs to another spec.
  func rebootIfDue(isFirst: Bool, isNewSpec: Bool) async throws {
    let isDue =
      switch request.plan.settings.rebootPolicy {
      case .never, .asNeeded, .runCompletion: false
      case .initial: isFirst
      case .eachSpec: isNewSpec
      case .eachJob, .eachIteration: true
      }
    guard isDue else { return }
    try await reboot(
      "reboot_policy is \(request.plan.settings.rebootPolicy.rawValue)", isFirst: isFirst,
      isNewSpec: isNewSpec)
  }

  /// Has the board reboot, and waits until its system is up again.
  ///
  /// - Throws: when nothing brings it back.
  func reboot(_ reason: String, isFirst: Bool = false, isNewSpec: Bool = false) async throws {
    run.log.log(.info, source: "runner", "\(run.target.name): reboots: \(reason)")
    try await wrap(.reboot) {
      try await wrapIf(isFirst, .initialBoot) {
        try await wrapIf(isNewSpec, .firstIterationBoot) {
          try await wrap(.boot) { try await bootAnew() }.get()
        }
      }
    }.get()
  }

  private func wrapIf(
    _ isSent: Bool, _ phase: Phase, _ body: () async throws -> Void
  ) async throws {
    guard isSent else { return try await body() }
    try await wrap(phase, body).get()
  }

  private func bootAnew() async throws {
    let begin = MonotonicTime.now
    let ladder = ladder()
    let steps = try await ladder.climb(ladder.rungsThatBoot, interrupt: run.stop)
    let isBack = steps.isBack
    // A reboot that was wanted and worked is no recovery.
    if steps.count > 1 || !isBack {
      report(
        "\(run.target.name): does not come back from a reboot", steps, isBack: isBack, since: begin)
    }
    guard isBack else {
      throw PlainFailure(
        .target, "\(run.target.name): does not come back from a reboot",
        evidence: steps.map(\.description).joined(separator: "; "),
        hint: "look at its console: 'kelvin bench console \(run.target.name)'")
    }
    try await boardHasBooted()
    let seconds = Double((MonotonicTime.now - begin) / 100_000_000) / 10
    run.log.log(.info, source: "runner", "\(run.target.name): up again after \(seconds) s")
  }

  // MARK: What became of the board in a job

  /// Looks whether the board is the one that it was when an attempt began, and brings it back when it
  /// is not: what ran on a board that rebooted or hung has no verdict of its own.
  ///
  /// - Returns: the attempt's outcome, the board's taken into account.
  func judgeBoard(_ outcome: Outcome, _ job: JobContext) async -> Outcome {
    guard watchesBoard, outcome.verdict != .aborted, !run.stop.isRaised else { return outcome }
    if let finding = lossOfBoard, finding.kind == .hang {
      // It has been asked often enough.
      return await recover(outcome, job, finding.message, from: .sysrq)
    }
    let change: BootChange
    do throws(ConnectionFailure) {
      if case .kernel? = lossOfBoard?.kind { try await waitForWord() }
      let now = try await BootState.read(
        through: run.target.connection, until: .after(seconds: 5, interrupt: run.stop))
      change = BootChange(from: boot, to: now)
      boot = now
    } catch {
      if error.code == .interrupted { return outcome }
      let silence = "\(run.target.name) does not answer: \(error.message)"
      guard job.deploymentFailed else {
        return await recover(outcome, job, silence, from: .reconnect)
      }
      job.record(.error, source: "runner", silence)
      return await recover(outcome, job, outcome.reason, from: .reconnect)
    }
    guard case .rebooted(let evidence) = change else {
      if case .kernel? = lossOfBoard?.kind {
        // It goes on, but not as it was: what an oops killed keeps its locks.
        return await recover(outcome, job, outcome.reason, from: .reboot)
      }
      run.targetResponds = true
      if case .failed(.infrastructure) = outcome.verdict { await endLeftovers(of: job) }
      return outcome
    }
    guard job.expectsReboot else { return await rebooted(outcome, job, evidence) }
    do {
      try await boardHasBooted()
      return outcome
    } catch {
      return await recover(outcome, job, PlainFailure(error).description, from: .reconnect)
    }
  }

  /// Waits until a board whose kernel went down speaks on its network again: whoever asks on a link that was made
  /// before waits for nothing, longer than many a boot takes.
  ///
  /// - Throws: when it has not spoken for 10 s and its console shows no kernel that starts, nor within the time of a boot
  ///   where it shows one; or the run was stopped.
  private func waitForWord() async throws(ConnectionFailure) {
    let board = run.target.name
    let ladder = ladder()
    guard let knock = LinkKnock(ladder.link) else { return }
    await run.target.connection.close()
    let boots = ladder.watchBoots()
    defer { boots?.stop() }
    let begin = MonotonicTime.now
    var isHeard = knock.wait(until: .after(seconds: 10, interrupt: run.stop))
    // One that sits in its boot loader says no more than that.
    if !isHeard, let boots, boots.signs().contains(where: { $0.kind == .kernelStarted }) {
      // It is on its way: whatever boots it now would begin anew.
      let either = Interrupt(with: [run.stop, boots.alarm])
      let seconds = request.equipment.bootSeconds - Double(MonotonicTime.now - begin) / 1e9
      isHeard = knock.wait(until: .after(seconds: seconds, interrupt: either))
    }
    guard !isHeard else { return }
    guard !run.stop.isRaised else { throw ConnectionFailure(.interrupted, "\(board): stopped") }
    let silence = Int(Double(MonotonicTime.now - begin) / 1e9)
    throw ConnectionFailure(.timedOut, "its server says nothing for \(silence) s")
  }

  /// The board booted anew in the middle of a job.
  private func rebooted(
    _ outcome: Outcome, _ job: JobContext, _ shown: [String] = []
  ) async -> Outcome {
    // What is deployed boots the board; that it did, late, is not what went wrong.
    let isOwn = job.deploymentFailed
    let text =
      isOwn
      ? outcome.reason : "\(run.target.name) rebooted while the job ran" + evidence(of: outcome)
    job.record(.error, source: "runner", text)
    for line in shown { job.record(.info, source: "runner", line) }
    do {
      try await run.target.waitUntilBooted(
        probe: request.equipment.bootProbe,
        until: .after(seconds: request.equipment.bootSeconds, interrupt: run.stop))
      try await boardHasBooted()
    } catch {
      return await recover(
        outcome, job,
        isOwn
          ? text : "\(run.target.name) rebooted, and does not come up: \(PlainFailure(error))",
        from: .reconnect)
    }
    await wrap(.reboot) {}.ignore()
    let distrust = await checkRecovered(by: nil).map { "; \($0)" } ?? ""
    return Outcome(isOwn ? outcome.verdict : .failed(blamed), text + distrust)
  }

  /// Climbs the ladder; at its end no further job may begin.
  private func recover(
    _ outcome: Outcome, _ job: JobContext, _ finding: String, from first: Rung
  ) async -> Outcome {
    let board = run.target.name
    job.record(.error, source: "runner", finding)
    guard request.plan.settings.rebootPolicy != .never else {
      bailReason = "\(finding); reboot_policy is 'never'"
      run.targetResponds = false
      return Outcome(
        job.deploymentFailed ? outcome.verdict : .failed(blamed),
        finding + evidence(of: outcome, besides: finding))
    }
    let before = targetFingerprint["boot id"]
    let begin = MonotonicTime.now
    let (steps, isBack) = await rescue(finding, job) { try await bringBack(from: first, job) }
    let text = steps.map(\.description).joined(separator: "; ")
    guard isBack else {
      job.record(.error, source: "recovery", "\(board): nothing brings it back: \(text)")
      let reason =
        finding + evidence(of: outcome, besides: finding) + ", and nothing brings it back (\(text))"
      if !run.stop.isRaised {
        hasLostBoard = true
        bailReason = reason
        request.isLost(reason)
      }
      return Outcome(job.deploymentFailed ? outcome.verdict : .failed(blamed), reason)
    }
    if steps.last?.rung == .reconnect {
      guard targetFingerprint["boot id"] == before else { return await rebooted(outcome, job) }
      await endLeftovers(of: job)
    }
    let seconds = Double((MonotonicTime.now - begin) / 100_000_000) / 10
    let last = steps.last?.rung ?? .reconnect
    job.record(.warning, source: "recovery", text)
    let distrust = await checkRecovered(by: last).map { "; \($0)" } ?? ""
    return Outcome(
      job.deploymentFailed
        ? outcome.verdict : .failed(last == .reconnect ? .infrastructure : blamed),
      "\(finding); back after \(seconds) s by \(last.rawValue)"
        + evidence(of: outcome, besides: finding) + distrust)
  }

  /// The link broke, and the board went on: with the workload, which nobody waits for any more.
  private func endLeftovers(of job: JobContext) async {
    do {
      try await job.endLeftovers(until: .after(seconds: 30, interrupt: run.stop))
    } catch {
      job.record(
        .warning, source: "runner",
        "what the workload may have left running could not be ended: \(PlainFailure(error))")
    }
  }

  /// Brings the board back where it is lost outside of any job.
  ///
  /// - Returns: whether it answers, and has booted to the end.
  func bringBack(_ loss: ConnectionFailure) async -> Bool {
    guard watchesBoard, bailReason == nil, !run.stop.isRaised else { return false }
    let board = run.target.name
    let now = try? await BootState.read(
      through: run.target.connection, until: .after(seconds: 5, interrupt: run.stop))
    if let now {
      guard case .rebooted = BootChange(from: boot, to: now) else { return true }
    } else if request.plan.settings.rebootPolicy == .never {
      return false
    }
    let (_, isBack) = await rescue("\(board) does not answer: \(loss.message)") {
      let ladder = ladder()
      // One that answers has booted by itself, and is only waited for.
      let rungs = now == nil ? ladder.rungs(from: .reconnect) : [RungPlan(.reconnect)]
      let steps = try await ladder.bringBack(rungs, interrupt: run.stop)
      guard steps.isBack else { return steps }
      try await run.target.waitUntilBooted(
        probe: request.equipment.bootProbe,
        until: .after(seconds: request.equipment.bootSeconds, interrupt: run.stop))
      return steps
    }
    if !isBack, !run.stop.isRaised {
      request.isLost("\(board) does not answer, and nothing brings it back")
    }
    return isBack
  }

  /// Brings the board back, learns anew what its boot has changed, and reports how that went. That the run was
  /// stopped meanwhile says nothing of the board, and is no report.
  func rescue(
    _ finding: String, _ job: JobContext? = nil, _ climb: () async throws -> [RecoveryStep]
  ) async -> (steps: [RecoveryStep], isBack: Bool) {
    let begin = MonotonicTime.now
    var steps: [RecoveryStep] = []
    var isBack = false
    do {
      try await wrap(.reboot) {
        steps = try await climb()
        guard steps.isBack else {
          throw PlainFailure(.target, "\(run.target.name): nothing brings it back")
        }
      }.get()
      try await boardHasBooted()
      isBack = true
    } catch {
      run.targetResponds = false
    }
    if isBack || !run.stop.isRaised { report(finding, steps, job, isBack: isBack, since: begin) }
    return (steps, isBack)
  }

  private func report(
    _ finding: String, _ steps: [RecoveryStep], _ job: JobContext? = nil, isBack: Bool,
    since begin: MonotonicTime
  ) {
    tell(
      .recovered(
        RecoveryReport(
          position: job?.position, finding: finding, steps: steps, isBack: isBack,
          duration: .now - begin)))
  }

  /// Whose fault it is that the board was lost: a supply that gives too little is not the board's own.
  private var blamed: FailureKind { lossOfBoard?.kind == .brownOut ? .infrastructure : .target }

  private func evidence(of outcome: Outcome, besides known: String = "") -> String {
    outcome.verdict == .ok || outcome.reason.isEmpty || known.contains(outcome.reason)
      || outcome.reason.contains(known) && !known.isEmpty ? "" : " (\(outcome.reason))"
  }

  /// This machine is the one that Kelvin runs on: it neither hangs nor reboots under us.
  var watchesBoard: Bool { !run.target.connection.capabilities.isThisMachine }
}

extension JobContext {
  fileprivate var deploymentFailed: Bool { state.withLock { $0.deploymentFailed } }
}
