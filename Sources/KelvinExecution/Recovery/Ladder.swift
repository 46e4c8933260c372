internal import KelvinConnections
internal import KelvinModel
internal import KelvinSystem
internal import KelvinTargets

/// The ladder of recovery: brings a board back, one rung after the other.
///
/// A rung has worked when the board answers, has booted to the end and, but for `reconnect`, shows
/// another boot id than before. No fixed times: each wait ends with what it waits for, or its deadline, or
/// when the console shows that the board boots in a loop.
struct Ladder {
  let target: Target
  let equipment: BoardEquipment
  /// The boot in which the board was lost; nil when that is not known.
  let bootID: String?
  /// Where the owner of ports keeps what the board's console says; nil: nobody hears it.
  var consoleLog: String?
  /// Seconds for a link to come back by itself, where something else is left to be done.
  var reconnectSeconds = 10.0
  /// The same where the link is the console: a board that boots by itself speaks there long before it answers.
  private static let consoleSeconds = 30.0
  /// Where its network is asked; nil: nowhere.
  var link: LinkQuestion?
  /// Called as each rung begins and ends.
  let note: (String) -> Void

  /// Seconds for a switch, or for a board to take an order.
  private static let orderSeconds = 60.0
  /// Seconds for what is done in a boot loader; writing images takes longer.
  private static let (rescueSeconds, flashSeconds) = (60.0, 600.0)

  // MARK: Which rungs

  /// The rungs from one on; all there are where nothing as hard is left.
  func rungs(from first: Rung) -> [RungPlan] {
    let all = equipment.rungs
    let rest = all.drop { $0.rung.hardness < first.hardness }
    return rest.isEmpty ? all : Array(rest)
  }

  /// The rungs above one; the hardest again where it was the last. Nil: those that boot the board.
  func rungs(above rung: Rung?) -> [RungPlan] {
    let all = equipment.rungs
    guard let rung, let index = all.firstIndex(where: { $0.rung == rung }) else {
      return rungs(from: .reboot)
    }
    return Array(all.suffix(max(1, all.count - index - 1)))
  }

  /// The rungs for a reboot that is wanted: each boots the board.
  var rungsThatBoot: [RungPlan] {
    let rungs = rungs(from: .reboot).filter { $0.rung != .reconnect }
    return rungs.isEmpty ? [RungPlan(.reboot)] : rungs
  }

  // MARK: Climbing

  /// Climbs until a lost board is back, by itself at last: where nothing from outside boots it, it may be on its
  /// way, and gets the time that a boot may take since the first rung.
  ///
  /// A `reconnect` with a time of its own says how long such a board is waited for, and nothing is added.
  ///
  /// - Returns: as ``climb(_:interrupt:)``.
  func bringBack(_ rungs: [RungPlan], interrupt: Interrupt) async throws -> [RecoveryStep] {
    let end = Deadline.after(seconds: equipment.bootSeconds, interrupt: interrupt)
    var steps = try await climb(rungs, interrupt: interrupt)
    let patience = equipment.rungs.first { $0.rung == .reconnect }
    guard !steps.isBack, let patience, patience.timeoutSeconds == nil, !end.hasPassed,
      !rungs.contains(where: { $0.rung.bootsFromOutside })
    else { return steps }
    note(
      "recovery: reconnect: nothing else boots \(target.name); it has the time of a boot for that")
    steps.append(
      try await step(.reconnect, interrupt) { try await comeBackByItself(until: end, interrupt) })
    return steps
  }

  /// Climbs until the board is back.
  ///
  /// - Returns: what was done; the last step is the one that worked, if any did.
  func climb(_ rungs: [RungPlan], interrupt: Interrupt) async throws -> [RecoveryStep] {
    var steps: [RecoveryStep] = []
    for plan in rungs {
      // What has not answered for so long cannot be told to boot either, and something harder can do it.
      if plan.rung == .reboot, steps.last?.rung == .reconnect,
        rungs.contains(where: { $0.rung.hardness > Rung.reboot.hardness })
      {
        continue
      }
      for _ in 0..<plan.count {
        note("recovery: \(plan.rung.rawValue)")
        steps.append(try await step(plan.rung, interrupt) { try await take(plan, interrupt) })
        if steps.isBack { return steps }
      }
    }
    return steps
  }

  /// Does one step, and tells what it came to.
  private func step(
    _ rung: Rung, _ interrupt: Interrupt, _ body: () async throws -> Void
  ) async throws -> RecoveryStep {
    let begin = MonotonicTime.now
    var step = RecoveryStep(rung: rung, seconds: 0, problem: nil)
    do {
      try await body()
    } catch {
      step.problem = PlainFailure(error).description
      if interrupt.isRaised {
        throw ConnectionFailure(.interrupted, "\(target.name): stopped")
      }
    }
    step.seconds = Double(MonotonicTime.now - begin) / 1e9
    note("recovery: \(step)")
    return step
  }

  private func take(_ plan: RungPlan, _ interrupt: Interrupt) async throws {
    if plan.rung == .reconnect {
      let isConsole = target.connection is ConsoleConnection
      let seconds = plan.timeoutSeconds ?? (isConsole ? Ladder.consoleSeconds : reconnectSeconds)
      return try await answer(until: .after(seconds: seconds, interrupt: interrupt))
    }
    // What is typed into a boot loader has it say its name, as a start does.
    var boots = plan.rung == .bootloader ? nil : watchBoots()
    _ = try await order(
      plan, until: .after(seconds: orderSeconds(plan), interrupt: interrupt))
    boots = boots ?? watchBoots()
    defer { boots?.stop() }
    try await unlessItLoops(boots, interrupt) { either in
      try await waitUntilUp(
        until: .after(seconds: plan.timeoutSeconds ?? equipment.bootSeconds, interrupt: either))
    }
  }

  private func comeBackByItself(until end: Deadline, _ interrupt: Interrupt) async throws {
    let boots = watchBoots()
    defer { boots?.stop() }
    try await unlessItLoops(boots, interrupt) { either in
      try await answer(until: Deadline(time: end.time, interrupt: either))
    }
  }

  /// Waits, and no longer than until the console shows that the board boots in a loop.
  private func unlessItLoops(
    _ boots: BoardWatch?, _ interrupt: Interrupt, _ wait: (Interrupt) async throws -> Void
  ) async throws {
    do {
      try await wait(Interrupt(with: [interrupt] + (boots.map { [$0.alarm] } ?? [])))
    } catch {
      let loop = boots?.findings().first { $0.kind == .bootLoop }
      guard let loop, !interrupt.isRaised else { throw error }
      throw loop.failure
    }
  }

  /// Watches the console for a board that boots in a loop; nil where there is none.
  func watchBoots() -> BoardWatch? {
    guard let consoleLog else { return nil }
    var options = BoardWatch.Options()
    options.heartbeat = nil
    // A panic may be a part of the loop, and is no reason to wait no longer.
    options.expected = Set(KernelSign.Kind.allCases)
    options.loopStarts = equipment.loopStarts
    return try? BoardWatch(
      board: target.name, consoleLog: consoleLog, pulse: nil, options: options)
  }

  private func orderSeconds(_ plan: RungPlan) -> Double {
    if plan.rung == .powerCycle { return equipment.cycleSeconds(plan) }
    guard plan.rung == .bootloader else { return Ladder.orderSeconds }
    let usual = plan.rescue.flash.isEmpty ? Ladder.rescueSeconds : Ladder.flashSeconds
    return plan.timeoutSeconds ?? max(usual, equipment.bootSeconds)
  }

  /// Has the board boot by one rung.
  ///
  /// - Returns: from when on it boots: the switch acknowledged power, the line was released, the board took
  ///   the order.
  func order(_ plan: RungPlan, until deadline: Deadline) async throws -> MonotonicTime {
    switch plan.rung {
    case .reconnect: break
    case .reboot:
      // A board that does not answer cannot be told; a short try tells. One that has booted by itself
      // meanwhile would go down once more, under the next job.
      let limit = deadline.limited(toSeconds: 10)
      if let bootID, try await target.bootID(until: limit) != bootID { break }
      _ = try await target.reboot(until: limit)
    case .sysrq: try equipment.sysRq?(Array(plan.keys.utf8), deadline)
    case .reset:
      _ = try await equipment.reset?.cycle(offSeconds: plan.pulseSeconds, until: deadline)
    case .powerCycle:
      try await equipment.cyclePower(plan, until: deadline)
    case .bootloader:
      // Its console may be the connection, and one at a time writes.
      await target.connection.close()
      try await BootLoaderRescue(
        board: target.name, link: equipment.bootLoader, plan: plan.rescue,
        equipment: equipment, note: note
      ).carryOut(until: deadline)
    }
    return .now
  }

  /// Waits until the board answers as it was.
  private func answer(until deadline: Deadline) async throws(ConnectionFailure) {
    await target.connection.close()
    while true {
      listen(until: deadline)
      do throws(ConnectionFailure) {
        _ = try await target.bootID(until: deadline.limited(toSeconds: target.answerSeconds))
        return
      } catch {
        guard error.mayPass, !deadline.hasPassed else { throw error }
        if deadline.limited(toSeconds: 0.25).wait() == .interrupted { throw error }
      }
    }
  }

  /// Waits until its server speaks; a part of the time is left for asking the board all the same.
  private func listen(until deadline: Deadline) {
    let left = deadline.time.map { Double($0 - .now) / 1e9 } ?? .infinity
    LinkKnock(link)?.wait(until: deadline.limited(toSeconds: min(30, left / 2)))
  }

  /// Waits until the board has booted anew, to the end.
  func waitUntilUp(until deadline: Deadline) async throws(ConnectionFailure) {
    await target.connection.close()
    if let bootID {
      try await target.waitForBoot(after: bootID, until: deadline) {
        listen(until: $0)
      }
    } else {
      try await answer(until: deadline)
    }
    try await target.waitUntilBooted(probe: equipment.bootProbe, until: deadline)
  }
}

extension Rung {
  /// From 0, the mildest.
  fileprivate var hardness: Int { Rung.allCases.firstIndex(of: self) ?? 0 }

  /// Whether it boots a board in whatever state that is.
  fileprivate var bootsFromOutside: Bool {
    self == .reset || self == .powerCycle || self == .bootloader
  }
}
