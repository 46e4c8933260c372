/// One way of bringing a board back, from the mildest to the hardest.
public enum Rung: String, Sendable, Hashable, CaseIterable {
  /// The link alone was away.
  case reconnect
  /// The board's own reboot command.
  case reboot
  /// The kernel's SysRq over the console.
  case sysrq
  /// The reset line.
  case reset
  /// Power off and on.
  case powerCycle = "power_cycle"
  /// What its boot loader can do, or what the bench file says instead.
  case bootloader
}

/// What is tried to bring a board back, in this order (`recovery` of a board or of its profile).
///
/// What a bench does not have is passed over, so that one ladder fits all boards of a kind.
public struct RecoveryLadder: Sendable, Hashable {
  /// Each rung once at most.
  public var rungs: [RungPlan]

  /// What is tried where nobody says otherwise: nothing of it writes to a board's storage.
  public static let standard = RecoveryLadder(Rung.allCases.map { RungPlan($0) })

  /// Creates a ladder.
  public init(_ rungs: [RungPlan]) { self.rungs = rungs }
}

extension RecoveryLadder: CustomStringConvertible {
  /// `reconnect, power_cycle (3 times)`
  public var description: String {
    rungs.map { $0.rung.rawValue + ($0.count == 1 ? "" : " (\($0.count) times)") }
      .joined(separator: ", ")
  }
}

/// What one rung of a ladder does, how often, and for how long.
public struct RungPlan: Sendable, Hashable {
  public var rung: Rung
  /// How often it is tried; at least 1.
  public var count: Int
  /// Within which the board must be back after each try; nil: 10 s for `reconnect`, else the board's own
  /// time to boot.
  public var timeoutSeconds: Double?
  /// What SysRq is sent, one command key after the other.
  public var keys = "sub"
  /// How long the reset line is held.
  public var pulseSeconds = 0.2
  /// How long power stays off; nil: as the board's `boot` says.
  public var offSeconds: Double?
  public var rescue = Rescue()

  /// What is done in the boot loader.
  public struct Rescue: Sendable, Hashable {
    /// U-Boot's commands before the one that boots; each must succeed.
    public var commands: [String] = []
    /// The command of U-Boot's that boots.
    public var boot = "boot"
    /// Images of this host by partition, written by fastboot before the reboot, in the order of the
    /// partitions' names.
    public var flash: [String: String] = [:]
    /// A command of this host instead of all that: argv.
    public var run: [String] = []

    /// What harms nothing: the board is booted.
    public init() {}
  }

  /// Creates a rung with its usual values.
  public init(_ rung: Rung, count: Int? = nil) {
    self.rung = rung
    self.count = count ?? RungPlan.usualCount(rung)
  }

  /// How often a rung is tried where nobody says otherwise.
  public static func usualCount(_ rung: Rung) -> Int {
    switch rung {
    case .reset, .powerCycle: 2
    case .reconnect, .reboot, .sysrq, .bootloader: 1
    }
  }
}
