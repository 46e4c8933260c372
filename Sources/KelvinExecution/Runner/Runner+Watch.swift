internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets

// The board is watched from the first setting of a job to the end of its teardown: a job on a board that is
// gone ends now, not at its deadline, and with the reason.
extension Runner {
  /// Begins to watch the board, where there is something to watch; a board that cannot be watched is
  /// used all the same.
  func beginWatch(_ attempt: Attempt) async {
    guard var options = request.watch, attempt.job.spec.detached == nil else { return }
    if attempt.job.expectsReboot {
      options.heartbeat = nil
      options.expected = [.reboot, .bootLoader, .kernelStarted, .powerDown]
    }
    do {
      attempt.watch = try BoardWatch(
        board: run.target.name, consoleLog: run.consoleLog,
        pulse: options.heartbeat == nil ? nil : await boardPulse(),
        connection: request.connectionChoice,
        options: options, alarm: attempt.job.alarm)
    } catch {
      run.log.log(.warning, source: "recovery", "\(run.target.name) is not watched: \(error)")
      return
    }
    await beginSupplyWatch(attempt)
  }

  /// Goes on with other expectations: the workload has said what it is about to do.
  func beginWatchAnew(_ attempt: Attempt) async {
    await endWatch(attempt)
    await beginWatch(attempt)
  }

  private func beginSupplyWatch(_ attempt: Attempt) async {
    guard let supply = run.equipment.supply, supply.description.brownOut != nil,
      let watch = attempt.watch
    else { return }
    do {
      attempt.supply = try await supply.watch(
        until: .after(seconds: 10, interrupt: attempt.interrupt)
      ) { watch.add($0) }
    } catch {
      attempt.job.record(
        .warning, source: "recovery",
        "\(run.target.name): its supply is not watched: \(PlainFailure(error))")
    }
  }

  private func boardPulse() async -> (any Pulse)? {
    if let pulse {
      guard let kept = pulse else { return nil }
      // Between jobs nobody asks, and it may have gone with its login; to see that asks the board nothing.
      if (try? kept.rest(until: .after(seconds: 0))) != nil { return kept }
    }
    do throws(ConnectionFailure) {
      let opened = try await run.target.connection.pulse(
        until: .after(seconds: 10, interrupt: run.stop))
      pulse = .some(opened)
      return opened
    } catch {
      run.log.log(
        .warning, source: "recovery",
        "\(run.target.name) cannot be asked whether it lives: \(error)")
      return nil
    }
  }

  /// Ends the watch, and records what it found: what was fatal is the attempt's failure.
  func endWatch(_ attempt: Attempt) async {
    guard let watch = attempt.watch else { return }
    let seen = await attempt.supply?.stop(until: .after(seconds: 10))
    attempt.supply = nil
    watch.stop()
    attempt.watch = nil
    let findings = watch.findings()
    let job = attempt.job
    for finding in findings {
      let level: EventRecord.Level =
        finding.severity == .fatal ? .error : finding.severity == .note ? .info : .warning
      job.record(level, source: "recovery", "\(finding)")
    }
    do {
      try KernelSigns.attach(watch.signs(), to: job, source: "recovery")
    } catch {
      job.record(.warning, source: "recovery", "\(error)")
    }
    // A way to ask that is lost tells nothing of the next job.
    if findings.contains(where: { $0.kind == .linkAway }) { pulse = nil }
    for finding in findings where finding.severity == .serious {
      job.markPartial("\(finding.message)")
    }
    for note in seen ?? [] { job.record(.warning, source: "recovery", note) }
    // A board whose supply goes does all sorts of things then; the supply is why.
    guard
      let fatal = findings.first(where: { $0.kind == .brownOut })
        ?? findings.first(where: { $0.severity == .fatal })
    else { return }
    lossOfBoard = fatal
    // Its way died with the board, and callbacks that need it are spared the wait.
    pulse = nil
    run.targetResponds = false
    attempt.lose(fatal.failure)
  }
}
