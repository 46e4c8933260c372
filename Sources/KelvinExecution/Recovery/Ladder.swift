internal import Glibc
internal import KelvinConnections
internal import KelvinModel
internal import KelvinSystem
internal import KelvinTargets

/// The ladder of recovery: what is tried, in which order, to bring a board back, and how long.
///
/// A rung has worked when the board answers, has booted to the end and, but for the first rung, shows
/// another boot id than before. No fixed times: each wait ends with what it waits for, or its deadline.
struct Ladder {
  let target: Target
  let equipment: BoardEquipment
  /// The boot in which the board was lost; nil when that is not known.
  let bootID: String?
  /// Called as each rung begins and ends.
  let note: (String) -> Void

  /// How often a rung is tried.
  private static let counts: [Rung: Int] = [.reset: 2, .powerCycle: 2]
  /// Seconds for a link to come back by itself.
  static let reconnectSeconds = 10.0
  /// Seconds for a switch, or for a board to take an order.
  private static let orderSeconds = 60.0

  /// Climbs until the board is back.
  ///
  /// - Parameter first: the rung to begin with.
  /// - Returns: what was done; the last step is the one that worked, if any did.
  func climb(from first: Rung = .reconnect, interrupt: Interrupt) async throws -> [RecoveryStep] {
    var steps: [RecoveryStep] = []
    // Where there is nothing harder, the mild ones are all there is.
    let rungs = Rung.allCases.drop { $0 != first }.filter(isThere)
    for rung in rungs.isEmpty ? Rung.allCases.filter(isThere) : rungs {
      for _ in 0..<(Ladder.counts[rung] ?? 1) {
        let begin = MonotonicTime.now
        note("recovery: \(rung.rawValue)")
        var step = RecoveryStep(rung: rung, seconds: 0, problem: nil)
        do {
          try await take(rung, interrupt)
        } catch {
          step.problem = PlainFailure(error).description
          if let failure = error as? ConnectionFailure, failure.code == .interrupted { throw error }
        }
        step.seconds = Double(MonotonicTime.now - begin) / 1e9
        steps.append(step)
        note("recovery: \(step)")
        if step.problem == nil { return steps }
        if interrupt.isRaised {
          throw ConnectionFailure(.interrupted, "\(target.name): stopped")
        }
      }
    }
    return steps
  }

  private func isThere(_ rung: Rung) -> Bool {
    switch rung {
    case .reconnect, .reboot: true
    case .sysrq: equipment.sysRq != nil
    case .reset: equipment.reset != nil
    case .powerCycle: equipment.power != nil
    }
  }

  private func take(_ rung: Rung, _ interrupt: Interrupt) async throws {
    if rung == .reconnect {
      return try await answer(
        until: .after(seconds: Ladder.reconnectSeconds, interrupt: interrupt))
    }
    _ = try await order(rung, until: .after(seconds: Ladder.orderSeconds, interrupt: interrupt))
    try await waitUntilUp(
      until: .after(seconds: equipment.bootSeconds, interrupt: interrupt))
  }

  /// Has the board boot by one rung.
  ///
  /// - Returns: from when on it boots: the switch acknowledged power, the line was released, the board took
  ///   the order.
  func order(_ rung: Rung, until deadline: Deadline) async throws -> MonotonicTime {
    switch rung {
    case .reconnect: break
    case .reboot:
      // A board that does not answer cannot be told; a short try tells.
      _ = try await target.reboot(until: deadline.limited(toSeconds: 10))
    case .sysrq:
      // Sync, remount read-only, boot (Linux Documentation/admin-guide/sysrq.rst).
      try equipment.sysRq?(Array("sub".utf8), deadline)
    case .reset: _ = try await equipment.reset?.cycle(offSeconds: 0.2, until: deadline)
    case .powerCycle:
      _ = try await equipment.power?.cycle(offSeconds: equipment.offSeconds, until: deadline)
    }
    return .now
  }

  /// Waits until the board answers as it was.
  private func answer(until deadline: Deadline) async throws(ConnectionFailure) {
    await target.connection.close()
    while true {
      do throws(ConnectionFailure) {
        _ = try await target.bootID(until: deadline.limited(toSeconds: 5))
        return
      } catch {
        guard error.mayPass, !deadline.hasPassed else { throw error }
        if deadline.limited(toSeconds: 0.25).wait() == .interrupted { throw error }
      }
    }
  }

  /// Waits until the board has booted anew, to the end.
  func waitUntilUp(until deadline: Deadline) async throws(ConnectionFailure) {
    await target.connection.close()
    if let bootID {
      try await target.waitForBoot(after: bootID, until: deadline)
    } else {
      try await answer(until: deadline)
    }
    try await target.waitUntilBooted(probe: equipment.bootProbe, until: deadline)
  }
}
