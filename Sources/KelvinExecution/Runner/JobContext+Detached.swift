internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinSystem
internal import KelvinTargets
internal import Synchronization

extension JobContext {
  /// Runs the workload while the board's link is away: leaves it on the board, takes the link away,
  /// waits, brings the link back, and collects.
  ///
  /// - Throws: as ``runLaunch()``; `notFound` when the board has booted meanwhile.
  func runDetached(_ command: Command, _ detached: DetachedLink) async throws -> CommandResult {
    let cpuBefore = MonotonicTime.processCPUNanoseconds
    let limit = deadline.remainingNanoseconds.map { Double($0) / 1e9 } ?? 1e9
    var plan = DetachedPlan(
      command, directory: try await target.workingPath("detached-\(attemptID)", until: deadline),
      name: "\(run.id)-\(attemptID)",
      settleSeconds: detached.settle, limitSeconds: max(1, limit - detached.settle))
    if case .interface(let name) = run.link { plan.interface = name.map { .named($0) } ?? .ofLink }
    let started = try await DetachedRun.start(plan, through: target.connection, until: deadline)
    let absence = Absence(
      job: self, run: started, begin: .now, detached: detached, limit: limit)
    do {
      try run.store.recordProcess(
        attempt: attemptID, processID: started.processID, startTicks: started.startTicks)
      try await absence.takeLinkAway()
      let outcome = try await absence.waitForEnd()
      let result = try await started.collect(
        outcome, through: target.connection, until: .after(seconds: 120))
      keep(result, cpuBefore: cpuBefore)
      state.withLock { $0.windowError = started.clockError }
      return result
    } catch {
      keep((error as? ConnectionFailure)?.partial, cpuBefore: cpuBefore)
      await absence.giveUp()
      throw error
    }
  }
}

/// The time for which a board is on its own.
private struct Absence {
  let job: JobContext
  let run: DetachedRun
  /// When the board had its order; the workload begins ``DetachedLink/settle`` seconds later.
  let begin: MonotonicTime
  let detached: DetachedLink
  /// Seconds that the workload may take.
  let limit: Double

  /// Seconds that a board may need to be reachable again.
  private static let returnSeconds = 120.0
  /// Seconds for what went wrong to be ended.
  private static let giveUpSeconds = 30.0
  /// Seconds for one try to reach it.
  private static let trySeconds = 5.0

  private var stop: Interrupt { job.run.stop }
  private var link: BoardLink { job.run.link }
  private var connection: any Connection { job.target.connection }
  private var source: String { job.spec.workload }

  private func after(_ seconds: Double) -> Deadline {
    Deadline(
      time: MonotonicTime(nanoseconds: begin.nanoseconds + Int64(min(seconds, 3e9) * 1e9)),
      interrupt: stop)
  }

  // MARK: Away

  func takeLinkAway() async throws {
    let start = after(detached.settle)
    switch link {
    case .quiet:
      tell("detached; its link stays, and is not used")
      return
    case .interface:
      tell("detached; the board takes \(run.interface ?? "its interface") down")
      // It must not be in the middle of a packet then.
      await connection.close()
    case .switched(let control):
      tell("detached; \(control.subject) goes off")
      await connection.close()
      _ = try await control.set(.off, until: .after(seconds: 60, interrupt: stop))
      if start.hasPassed {
        let late = MonotonicTime.now - (start.time ?? .now)
        job.record(
          .warning, source: source,
          "the link went away \(late / 1_000_000) ms after the workload began: raise 'settle'")
        job.markPartial("the link was still there when the workload began")
      }
    }
  }

  private func tell(_ text: String) {
    let back = Int64(detached.seconds ?? limit)
    job.record(
      .info, source: source,
      "\(text); back \(detached.seconds == nil ? "at the end, at the latest " : "")in \(back) s")
  }

  // MARK: Back

  /// Waits until the board shows that it is over.
  ///
  /// - Throws: `timedOut` when the board does not come back; `interrupted`; what no waiting mends.
  func waitForEnd() async throws -> DetachedOutcome {
    try pause(until: after(detached.settle + (detached.seconds ?? 0)))
    try await bringLinkBack()
    // The board ends it by itself when its time is over.
    let latest = after(
      detached.settle + max(limit, detached.seconds ?? 0) + Command([]).grace
        + Absence.returnSeconds)
    var isFirst = true
    while true {
      do throws(ConnectionFailure) {
        let state = try await run.state(
          through: connection, until: latest.limited(toSeconds: Absence.trySeconds))
        if case .over(let outcome) = state {
          noteClock()
          return outcome
        }
        if isFirst, detached.seconds != nil { noteEarlyReturn() }
        isFirst = false
      } catch {
        guard error.mayPass, !latest.hasPassed else { throw late(error) }
      }
      try pause(until: latest.limited(toSeconds: nextPause))
      if latest.hasPassed { throw late(nil) }
    }
  }

  /// Where asking costs the board something, it is asked more and more rarely.
  private var nextPause: Double {
    guard case .quiet = link else { return 0.5 }
    return min(30, max(0.1, Double(MonotonicTime.now - begin) / 1e9 / 4))
  }

  private func pause(until deadline: Deadline) throws(ConnectionFailure) {
    if case .interrupted = deadline.wait() {
      throw ConnectionFailure(.interrupted, "\(job.name): stopped while the board was detached")
    }
  }

  private func bringLinkBack() async throws {
    guard case .switched(let control) = link else { return }
    _ = try await control.set(.on, until: .after(seconds: 60))
  }

  private func late(_ last: ConnectionFailure?) -> ConnectionFailure {
    if let last, !last.mayPass { return last }
    return ConnectionFailure(
      .timedOut,
      "\(job.name): the board did not come back" + (last.map { ": \($0.message)" } ?? ""),
      hint: "look at its console: 'kelvin bench console \(job.target.name)'")
  }

  private func noteEarlyReturn() {
    let text = "the link was back before the workload had ended: part of its time was not detached"
    job.record(.warning, source: source, text + "; raise 'seconds'")
    job.markPartial(text)
  }

  private func noteClock() {
    let error = Double(run.clockError) / 1e6
    job.record(
      .info, source: source,
      "its times are the board's own, on this clock to \((error * 10).rounded() / 10) ms")
  }

  // MARK: Something went wrong

  /// Brings the link back, and ends what can be reached; what cannot, ends itself.
  func giveUp() async {
    do {
      try await link.bringBack(connection, until: .after(seconds: Absence.giveUpSeconds))
    } catch {
      job.record(.error, source: source, "the board is not back: \(PlainFailure(error))")
      return
    }
    let isOwn = if case .interface = link { true } else { false }
    do {
      _ = try await run.end(through: connection, until: .after(seconds: isOwn ? 5 : 15))
    } catch {
      // Over a link that the board itself took down nobody is heard.
      job.record(
        .warning, source: source,
        isOwn
          ? "\(job.target.name) cannot be told: \(run.interface ?? "its interface") comes back when the "
            + "workload ends, at the latest \(Int64(limit)) s after its start"
          : "what was left on the board could not be ended: \(error)")
    }
  }
}
