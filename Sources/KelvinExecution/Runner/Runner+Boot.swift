internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets

// What brings a board back, and what is to be learned of one that has booted.
extension Runner {
  func ladder() -> Ladder {
    Ladder(
      target: run.target, equipment: request.equipment, bootID: targetFingerprint["boot id"],
      consoleLog: run.consoleLog, link: request.connectionChoice.flatMap { LinkQuestion($0) }
    ) { [log = run.log] in log.log(.info, source: "recovery", $0) }
  }

  /// Learns anew what a boot changes. Settings are applied again by the next job.
  ///
  /// - Parameter isDeployed: what booted may be another system, whatever it says of itself.
  func boardHasBooted(isDeployed: Bool = false) async throws {
    run.target.forgetFacts()
    pulse = nil
    let facts: TargetFacts
    do {
      facts = try await run.target.facts(until: .after(seconds: 60, interrupt: run.stop))
    } catch {
      request.settings?.forget()
      throw error
    }
    let before = targetFingerprint
    targetFingerprint = facts.fingerprint
    request.settings?.forget(
      isSameSystem: !isDeployed && before.isSameSystem(as: targetFingerprint))
    try await noteBoot()
    run.targetResponds = true
  }

  /// Notes which boot the board is in, to be compared with after each attempt.
  func noteBoot() async throws {
    guard watchesBoard else { return }
    boot = try await BootState.read(
      through: run.target.connection, until: .after(seconds: 10, interrupt: run.stop))
  }
}

extension [String: String] {
  /// Whether two fingerprints of a target differ by their boots alone.
  fileprivate func isSameSystem(as other: [String: String]) -> Bool {
    guard !isEmpty else { return false }
    return filter { $0.key != "boot id" } == other.filter { $0.key != "boot id" }
  }
}
