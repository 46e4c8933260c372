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
  /// How long power stays off in a cycle: what a board's capacitors need.
  public var offSeconds: Double
  /// How long a boot may take, to the end.
  public var bootSeconds: Double
  /// A shell line that must succeed on a board that has booted; nil: its system's own word is enough.
  public var bootProbe: String?

  /// Lists equipment.
  public init(
    sysRq: SysRq? = nil, reset: PowerControl? = nil, power: PowerControl? = nil,
    offSeconds: Double = 3, bootSeconds: Double = 180, bootProbe: String? = nil
  ) {
    self.sysRq = sysRq
    self.reset = reset
    self.power = power
    self.offSeconds = offSeconds
    self.bootSeconds = bootSeconds
    self.bootProbe = bootProbe
  }
}

/// One way of bringing a board back, from the mildest to the hardest.
public enum Rung: String, Sendable, Hashable, CaseIterable {
  /// The link alone was away.
  case reconnect
  /// The board's own reboot command.
  case reboot
  /// The kernel's SysRq over the console: sync, remount, boot.
  case sysrq
  /// The reset line.
  case reset
  /// Power off and on.
  case powerCycle = "power_cycle"
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
