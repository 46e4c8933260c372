internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinSystem
internal import KelvinTargets

/// Waits before jobs: for a time, or until the board is cool, idle or charged.
public struct Delay: Instrument {
  private let plan: Result<DelayPlan, PlainFailure>
  /// What is read on this board; the reason where it cannot tell.
  private let conditions = BoardConfined<
    [DelayPlan.Place: Result<[any BoardCondition], PlainFailure>]
  >(
    [:])
  /// Whether the board has booted since: it may number its sensors otherwise.
  private let isStale = BoardConfined(false)
  private let lastSpec = BoardConfined<String?>(nil)

  /// Takes the declared options. Contradictions among them fail the jobs: one that was to wait does not
  /// run without.
  public init(settings: [String: Value]) {
    plan = Result { () throws(PlainFailure) in try DelayPlan(settings) }
  }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    guard case .success(let plan) = plan else { return }
    guard !plan.waits.isEmpty else {
      throw InstrumentUnavailable(
        "there is nothing to wait for", hint: "write 'wait_for', or one of the fixed waits")
    }
    try await find(plan, on: run, until: deadline)
  }

  /// Finds what tells the conditions. What this board cannot tell is no reason to go on without.
  ///
  /// - Throws: only when interrupted.
  private func find(
    _ plan: DelayPlan, on run: RunContext, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    isStale.value = false
    for (place, wait) in plan.waits {
      let earlier = try? conditions.value[place]?.get()
      do {
        var found: [any BoardCondition] = []
        for (index, choice) in wait.choices.enumerated() {
          found.append(
            try await choice.find(
              on: run.target.connection, after: earlier?[index], until: deadline))
        }
        conditions.value[place] = .success(found)
      } catch {
        if let error = error as? ConnectionFailure, error.code == .interrupted { throw error }
        run.log.log(.warning, source: name, "\(PlainFailure(error))")
        conditions.value[place] = .failure(PlainFailure(error))
      }
    }
  }

  public var hooks: [Hook] {
    let longest = { places in (try? plan.get())?.longest(places) ?? 0 }
    extremely_slow.before_job { context in
      let job = try context.requireJob()
      let isNewSpec = lastSpec.exchange(job.spec.id) != job.spec.id
      switch plan {
      case .failure(let failure):
        job.fail(PlainFailure(failure.kind, "delay: \(failure.message)", hint: failure.hint))
      case .success(let plan):
        try await wait(isNewSpec && plan.waits[.spec] != nil ? .spec : .job, plan, job, context)
      }
    }.within(seconds: longest([.spec, .job]))
    extremely_slow.start { context in
      guard case .success(let plan) = plan else { return }
      try await wait(.start, plan, try context.requireJob(), context)
    }.within(seconds: longest([.start]))
    normal.after_reboot { _ in isStale.value = true }.hostSide
  }

  private func wait(
    _ place: DelayPlan.Place, _ plan: DelayPlan, _ job: JobContext, _ context: SignalContext
  ) async throws {
    guard let wait = plan.waits[place] else { return }
    let begin = MonotonicTime.now
    let interrupt = context.deadline.interrupt
    do throws(ConnectionFailure) {
      if wait.fixed > 0 {
        job.record(.info, source: name, "waits \(wait.fixed) s before \(place)")
        let end = context.deadline.limited(toSeconds: wait.fixed)
        if case .interrupted = end.wait() {
          throw ConnectionFailure(.interrupted, "stopped while waiting")
        }
      }
      if isStale.value { try await find(plan, on: context.run, until: context.deadline) }
      switch conditions.value[place] {
      case .success(let conditions)?:
        if !conditions.isEmpty {
          try await waitFor(conditions, place, plan, wait.rule, job, interrupt)
        }
      case .failure(let failure)?:
        miss("before \(place): cannot be waited for: \(failure)", wait.rule, job)
      case nil: break
      }
    } catch {
      note(begin, place, job)
      guard error.code == .interrupted else {
        if wait.rule == .fail {
          job.fail(PlainFailure(error.kind, "\(name): before \(place): \(error.message)"))
        }
        throw error
      }
      // Neither the workload nor anything behind this is to begin.
      job.fail(PlainFailure(.infrastructure, "\(name): stopped while waiting before \(place)"))
      return
    }
    note(begin, place, job)
  }

  private func note(_ begin: MonotonicTime, _ place: DelayPlan.Place, _ job: JobContext) {
    let waited = MonotonicTime.now - begin
    if place == .start { job.noteWait(waited) }
    job.add(
      Metric(
        "delay_waited", .number(Double(waited) / 1e9), unit: "s",
        classifiers: ["before": place.rawValue], source: name))
  }

  // MARK: Conditions

  private func waitFor(
    _ conditions: [any BoardCondition], _ place: DelayPlan.Place, _ plan: DelayPlan,
    _ rule: DelayPlan.Rule, _ job: JobContext, _ interrupt: Interrupt?
  ) async throws(ConnectionFailure) {
    let begin = MonotonicTime.now
    let deadline = Deadline.after(seconds: plan.timeout, interrupt: interrupt)
    var wait = ConditionWait(conditions, on: job.target.connection, period: plan.period)
    try await wait.look(interrupt)
    let first = wait.readings
    if !wait.isMet {
      let wanted = zip(conditions, first).map { "\($0.subject) \($1.text), wanted \($0.wanted)" }
      job.record(
        .info, source: name, "waits before \(place): \(wanted.joined(separator: "; "))")
      let isCooled = await startCooling(plan.cooling, job, interrupt)
      do throws(ConnectionFailure) {
        try await wait.wait(until: deadline)
      } catch {
        if isCooled { await stopCooling(plan.cooling, job) }
        throw error
      }
      if isCooled { await stopCooling(plan.cooling, job) }
    }
    report(wait, from: first, place, job, waited: MonotonicTime.now - begin)
    if !wait.isMet {
      let missing = zip(conditions, wait.readings).filter { !$1.isMet }
        .map { "\($0.subject) is at \($1.text), wanted \($0.wanted)" }
      miss(
        "before \(place): not within \(plan.timeout) s: \(missing.joined(separator: "; "))", rule,
        job
      )
    }
  }

  private func report(
    _ wait: ConditionWait, from first: [ConditionReading], _ place: DelayPlan.Place,
    _ job: JobContext, waited: Int64
  ) {
    var changes: [String] = []
    for (index, condition) in wait.conditions.enumerated() {
      let last = wait.readings[index]
      let change = first[index] == last ? last.text : "\(first[index].text) -> \(last.text)"
      changes.append("\(condition.subject) \(change) (wanted \(condition.wanted))")
      guard let value = last.value else { continue }
      job.add(
        Metric(
          condition.metric.name, .number(value), unit: condition.metric.unit,
          classifiers: ["before": place.rawValue, "subject": condition.subject], source: name))
    }
    let time = (Double(waited) / 1e9).tenths
    job.record(
      .info, source: name,
      "waited \(time) s before \(place): \(changes.joined(separator: "; "))")
  }

  private func miss(_ text: String, _ rule: DelayPlan.Rule, _ job: JobContext) {
    switch rule {
    case .fail:
      job.record(.error, source: name, text)
      job.fail(PlainFailure(.target, "\(name): \(text)"))
    case .flag:
      job.record(.warning, source: name, text)
      job.markPartial("\(name): \(text)")
    case .warn: job.record(.warning, source: name, text)
    }
  }

  // MARK: Cooling

  /// Whether it must be stopped: also one that said that it failed may have begun.
  private func startCooling(
    _ cooling: Cooling?, _ job: JobContext, _ interrupt: Interrupt?
  ) async -> Bool {
    guard let cooling else { return false }
    do {
      try await cooling.run(cooling.start, for: job.target, interrupt: interrupt)
    } catch {
      job.record(.warning, source: name, "\(PlainFailure(error))")
    }
    return true
  }

  /// Not interrupted by anything: what cools does not go on.
  private func stopCooling(_ cooling: Cooling?, _ job: JobContext) async {
    guard let cooling else { return }
    do {
      try await cooling.run(cooling.stop, for: job.target)
    } catch {
      let text = "the cooling may still be on: \(PlainFailure(error))"
      job.record(.error, source: name, text)
      job.markPartial(text)
    }
  }
}
