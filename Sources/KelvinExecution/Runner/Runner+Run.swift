internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets
internal import Synchronization

extension Runner {
  /// Connects, prepares instruments and initializes the workloads of all pending specs.
  ///
  /// - Returns: false when the run cannot go on; ``bailReason`` says why.
  func initialize() async -> Bool {
    await createInstruments()
    await send(.moment(.runStarted))
    do {
      try await wrap(.runInitialization) {
        try await wrap(.targetConnect) {
          try await connect()
        }.get()
        try await checkSettings()
        try await prepareInstruments()
        try await initializeHealthCheck()
        try await initializeWorkloads()
      }.get()
    } catch {
      if !run.stop.isRaised {
        let failure = PlainFailure(error)
        hasLostBoard = (error as? ConnectionFailure)?.mayPass == true
        bailReason = "initialization failed: \(failure)"
        run.log.log(.error, source: "runner", "initialization failed: \(failure)")
        await send(.moment(.runFailed))
      }
      return false
    }
    await send(.moment(.runInitialized))
    return true
  }

  /// Tells how the run went and lets the workloads clean up.
  func finalize() async {
    for (spec, workload) in workloads.sorted(by: { $0.key < $1.key }) where unusable[spec] == nil {
      let job = contextOutsideJob(spec: spec)
      job.deadline = .after(seconds: self.spec(at: spec).timeouts.teardown)
      let result = await wrap(.workloadFinalization, job: job) { try await workload.finalize(job) }
      if case .failed(let error) = result {
        run.log.log(
          .warning, source: self.spec(at: spec).id, "finalize: \(PlainFailure(error))")
      }
    }
    if run.stop.isRaised {
      await send(.moment(.runAborted))
    } else if bailReason == nil {
      await send(.moment(.runCompleted))
    }
    await send(.moment(.runFinalized))
  }

  /// Makes one instance of each instrument that a pending job lists, in the order of listing.
  private func createInstruments() async {
    for name in pendingAugmentations() {
      guard let type = request.registry.instrument(named: name) else { continue }
      let settings = request.plan.settings.augmentations[name] ?? [:]
      let isRequired = settings["required"]?.boolean ?? false
      do {
        let instrument = try type.init(settings: settings)
        let tokens = instrument.hooks.map { run.signals.attach($0, owner: name) }
        instruments.append(
          Attached(name: name, instrument: instrument, isRequired: isRequired, tokens: tokens))
      } catch {
        leaveOut(name, PlainFailure(error), isRequired: isRequired)
      }
    }
  }

  private func prepareInstruments() async throws {
    for attached in instruments {
      do {
        try await attached.instrument.prepare(
          run, until: .after(seconds: Runner.callbackTimeout, interrupt: run.stop))
      } catch let error as ConnectionFailure where error.code == .interrupted {
        throw error
      } catch {
        for token in attached.tokens { run.signals.detach(token) }
        leaveOut(attached.name, PlainFailure(error), isRequired: attached.isRequired)
      }
    }
    instruments.removeAll { unavailable[$0.name] != nil }
  }

  /// An instrument that has nothing to measure here is a warning, unless it is required.
  private func leaveOut(_ name: String, _ failure: PlainFailure, isRequired: Bool) {
    unavailable[name] = failure.description
    run.log.log(
      isRequired ? .error : .warning, source: name, "unavailable on this target: \(failure)")
    if isRequired { requiredMissing.insert(name) }
  }

  private func initializeWorkloads() async throws {
    var seen: Set<Int> = []
    for pending in request.pending {
      let index = request.plan.jobs[pending.position].spec
      guard seen.insert(index).inserted else { continue }
      if run.stop.isRaised { return }
      // Its settings are not offered.
      if unusable[index] != nil { continue }
      let spec = request.plan.specs[index]
      do {
        try await initializeWorkload(index)
      } catch {
        let failure = PlainFailure(error)
        unusable[index] = failure
        if request.plan.settings.bailOnInitFailure {
          throw PlainFailure(
            failure.kind, "workload '\(spec.workload)' (\(spec.id)): \(failure.message)",
            evidence: failure.evidence, hint: failure.hint)
        }
        run.log.log(.error, source: spec.id, "workload '\(spec.workload)': \(failure)")
      }
    }
  }

  /// Makes and initializes the workload of a spec, and keeps it.
  func initializeWorkload(_ index: Int) async throws {
    let spec = spec(at: index)
    let job = contextOutsideJob(spec: index)
    job.deadline = .after(seconds: spec.timeouts.setup, interrupt: run.stop)
    guard let type = request.registry.workload(named: spec.workload) else {
      throw PlainFailure(.configuration, "workload '\(spec.workload)': unknown")
    }
    let workload = try type.make(spec)
    workloads[index] = workload
    try await wrap(.workloadInitialization, job: job) {
      try await workload.initialize(job)
    }.get()
    // Specs of one workload nearly always have the same: kept once.
    let fingerprint = job.state.withLock { $0.fingerprint }
    let same = knownFingerprints[fingerprint] ?? fingerprint
    knownFingerprints[fingerprint] = same
    fingerprints[index] = same
  }

  private func pendingAugmentations() -> [String] {
    var specs: Set<Int> = []
    var names: [String] = []
    var seen: Set<String> = []
    for pending in request.pending {
      let index = request.plan.jobs[pending.position].spec
      guard specs.insert(index).inserted else { continue }
      for name in request.plan.specs[index].augmentations where seen.insert(name).inserted {
        names.append(name)
      }
    }
    return names
  }

  /// A context for what happens once per spec, outside of any attempt.
  private func contextOutsideJob(spec: Int) -> JobContext {
    JobContext(
      run: run, spec: self.spec(at: spec), position: -1, iteration: 0, attempt: 0,
      attemptID: -1)
  }
}
