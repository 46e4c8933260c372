internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets

// The board's settings around a job: applied before its setup, checked after its measured window, put
// back when the run ends.
extension Runner {
  /// Checks the settings of all pending jobs against what the board offers, before any job begins.
  func checkSettings() async throws {
    guard let settings = request.settings else { return }
    var seen: Set<Int> = []
    var checked: Set<[JobSpec.Setting]> = [[]]
    var failures: [[JobSpec.Setting]: PlainFailure] = [:]
    for pending in request.pending {
      let index = request.plan.jobs[pending.position].spec
      guard seen.insert(index).inserted else { continue }
      let spec = request.plan.specs[index]
      // Another kernel may offer others: known once it runs.
      if spec.deployment != nil { continue }
      if checked.insert(spec.runtimeParameters).inserted {
        do {
          try await settings.check(
            spec.runtimeParameters, until: .after(seconds: 60, interrupt: run.stop))
        } catch let failure as SettingFailure {
          failures[spec.runtimeParameters] = PlainFailure(failure)
        }
      }
      guard let failure = failures[spec.runtimeParameters] else { continue }
      unusable[index] = failure
      if request.plan.settings.bailOnInitFailure {
        throw PlainFailure(
          failure.kind, "spec '\(spec.id)': \(failure.message)", evidence: failure.evidence,
          hint: failure.hint)
      }
      run.log.log(.error, source: spec.id, "\(failure)")
    }
  }

  /// Brings the board to what a job asks for; what earlier jobs changed, and it does not name, is as it
  /// was before the run.
  func applySettings(_ job: JobContext) async throws {
    guard let settings = request.settings else { return }
    let applied = try await settings.apply(
      job.spec.runtimeParameters, until: job.deadline)
    job.addFingerprint(
      Dictionary(
        uniqueKeysWithValues: applied.values.map { ("setting: \($0.key)", $0.value) }))
    guard !applied.changes.isEmpty else { return }
    job.record(
      .info, source: "settings", applied.changes.map(\.description).joined(separator: "; "))
  }

  /// Notes what tells of frequencies, as the measured window begins.
  func beginWindow(_ job: JobContext) async {
    guard let settings = request.settings, !job.spec.runtimeParameters.isEmpty else { return }
    do {
      try await settings.beginWindow(until: job.deadline.limited(toSeconds: 30))
    } catch {
      job.record(
        .warning, source: "settings", "at which frequency it ran is not known: \(error)")
    }
  }

  /// Flags the job when its settings did not hold.
  func checkSettings(_ job: JobContext) async {
    guard let settings = request.settings, !job.spec.runtimeParameters.isEmpty else { return }
    do {
      let window = try await settings.endWindow(until: .after(seconds: 30, interrupt: job.alarm))
      for frequency in window.frequencies {
        if let hertz = frequency.hertz {
          job.add(
            Metric(
              "effective_frequency", .number(hertz), unit: "Hz",
              classifiers: ["cpus": String(frequency.label.dropFirst(3))], source: "settings"))
        }
        guard let problem = frequency.problem else { continue }
        job.record(.warning, source: "settings", problem)
        job.markPartial(problem)
      }
      guard !window.drift.isEmpty else { return }
      let text = window.drift.map(\.description).joined(separator: "; ")
      job.record(.warning, source: "settings", "changed while the workload ran: \(text)")
      job.markPartial("settings changed while the workload ran: \(text)")
    } catch {
      job.markPartial("whether its settings held is not known: \(PlainFailure(error))")
    }
  }

  /// Puts everything back. Does not heed interrupts: the board is somebody else's next. A board that goes in
  /// the middle of it is brought back, and told once more.
  func restoreSettings() async {
    guard let settings = request.settings, settings.isChanged else { return }
    do {
      try await putBack(settings)
    } catch {
      guard let loss = error as? ConnectionFailure, await bringBack(loss) else {
        return run.log.log(.error, source: "settings", "\(PlainFailure(error))")
      }
      run.log.log(.warning, source: "settings", "put back once more: \(PlainFailure(error))")
      do {
        try await putBack(settings)
      } catch {
        run.log.log(.error, source: "settings", "\(PlainFailure(error))")
      }
    }
  }

  private func putBack(_ settings: DeviceSettings) async throws {
    let changes = try await settings.restore(until: .after(seconds: Runner.restoreTimeout))
    guard !changes.isEmpty else { return }
    run.log.log(
      .info, source: "settings",
      "as they were: \(changes.map(\.description).joined(separator: "; "))")
  }

  /// Seconds that putting everything back may take: services may take their time to start.
  static let restoreTimeout = 120.0
}
