public import KelvinMeters
public import KelvinModel
public import KelvinTargets

/// What can be done to a board from outside, besides talking to its system: what the ladder of recovery
/// climbs on. What a bench does not have is nil, and its rung is passed over.
public struct BoardEquipment: Sendable {
  /// Sends a break and then these keys over the console: the kernel's SysRq.
  public typealias SysRq = @Sendable (_ keys: [UInt8], _ deadline: Deadline) throws -> Void

  public var sysRq: SysRq?
  public var reset: PowerControl?
  public var power: PowerControl?
  /// Where it is written down that its power is off for a moment.
  public var outage = OutageJournal()
  /// What measures it.
  public var meters = BoardMeters()
  /// What one of them tells of its supply; nil: none is asked.
  public var supply: BoardSupply?
  /// How its boot loader is reached.
  package var bootLoader: BootLoaderLink?
  /// What is tried, in which order.
  public var ladder: RecoveryLadder
  /// How long power stays off in a cycle: what a board's capacitors need.
  public var offSeconds: Double
  /// How long a boot may take, to the end.
  public var bootSeconds: Double
  /// So many starts of a boot loader or a kernel in one boot are a boot loop.
  public var loopStarts: Int
  /// A shell line that must succeed on a board that has booted; nil: its system's own word is enough.
  public var bootProbe: String?

  /// Lists equipment.
  public init(
    sysRq: SysRq? = nil, reset: PowerControl? = nil, power: PowerControl? = nil,
    ladder: RecoveryLadder = .standard,
    offSeconds: Double = 3, bootSeconds: Double = 180, loopStarts: Int = 3, bootProbe: String? = nil
  ) {
    self.sysRq = sysRq
    self.reset = reset
    self.power = power
    self.ladder = ladder
    self.offSeconds = offSeconds
    self.bootSeconds = bootSeconds
    self.loopStarts = loopStarts
    self.bootProbe = bootProbe
  }

  /// The rungs of the ladder for which everything is there.
  var rungs: [RungPlan] { ladder.rungs.filter { isThere($0) } }

  /// What the ladder says of a rung; its usual values where it does not name it.
  func plan(of rung: Rung) -> RungPlan {
    ladder.rungs.first { $0.rung == rung } ?? RungPlan(rung)
  }

  private func isThere(_ plan: RungPlan) -> Bool {
    switch plan.rung {
    case .reconnect, .reboot: true
    case .sysrq: sysRq != nil
    case .reset: reset != nil
    case .powerCycle: power != nil
    case .bootloader: bootLoader != nil || !plan.rescue.run.isEmpty
    }
  }

  /// Whether something restarts the board from outside.
  var hasRestart: Bool { reset != nil || power != nil }

  /// Does it.
  func restart(until deadline: Deadline) async throws {
    guard let reset else {
      return try await cyclePower(plan(of: .powerCycle), until: deadline)
    }
    _ = try await reset.cycle(offSeconds: plan(of: .reset).pulseSeconds, until: deadline)
  }

  /// Takes the board's power away for a moment, where something switches it; whoever comes next knows when
  /// this process did not come to switch it on again.
  func cyclePower(_ plan: RungPlan, until deadline: Deadline) async throws {
    guard let power else { return }
    try await withoutPower("a power cycle") {
      _ = try await confirmed(power).cycle(
        offSeconds: plan.offSeconds ?? offSeconds, until: deadline)
    }
  }

  /// Seconds for the order to cycle its power.
  func cycleSeconds(_ plan: RungPlan) -> Double {
    let discharge = supply.map { $0.description.tellsOff ? $0.description.offSeconds : 0 } ?? 0
    return 60 + max(plan.offSeconds ?? offSeconds, discharge)
  }

  /// Where a meter tells when the board is off, that is waited for.
  private func confirmed(_ power: PowerControl) -> PowerControl {
    guard let supply, supply.description.tellsOff else { return power }
    return power.confirmed { (_, wanted, deadline) throws(PowerFailure) in
      wanted == .off ? try await supply.waitUntilOff(until: deadline) : nil
    }
  }

  /// Does what takes the board's power away, and gives it back.
  func withoutPower(_ reason: String, _ body: () async throws -> Void) async throws {
    try await outage.begin(reason)
    try await body()
    try await outage.end()
  }
}

/// What one rung came to.
public struct RecoveryStep: Sendable, Hashable, CustomStringConvertible {
  public var rung: Rung
  public var seconds: Double
  /// Nil: the board was back.
  public var problem: String?

  public var description: String {
    let time = "\((seconds * 10).rounded() / 10) s"
    return problem.map { "\(rung.rawValue): \($0) (after \(time))" }
      ?? "\(rung.rawValue): the board is back after \(time)"
  }
}

extension [RecoveryStep] {
  /// Whether the last of them brought the board back; where nothing could be tried, nothing did.
  var isBack: Bool { last.map { $0.problem == nil } ?? false }
}
