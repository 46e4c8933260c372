/// The equipment that one host controls, as its bench file says: boards, meters, and what belongs to
/// them. Pure data; nothing has been looked for.
public struct Bench: Sendable, Hashable {
  /// In the order written.
  public var boards: [BoardEntry]
  public var meters: [MeterEntry]

  /// Creates a bench.
  public init(boards: [BoardEntry] = [], meters: [MeterEntry] = []) {
    self.boards = boards
    self.meters = meters
  }

  /// The board of this name.
  public func board(named name: String) -> BoardEntry? { boards.first { $0.name == name } }
  /// The meter of this name.
  public func meter(named name: String) -> MeterEntry? { meters.first { $0.name == name } }
}

/// A board of a bench.
public struct BoardEntry: Sendable, Hashable {
  public var name: String
  /// The name of its profile (`hardware/boards/NAME.yaml`).
  public var profile: String
  /// How commands and files reach it; nil: by its console, when it has one.
  public var connection: DriverChoice?
  public var console: DriverChoice?
  /// How it is reached while its boot loader runs, beside the connection to its system.
  public var bootloader: DriverChoice?
  public var power: DriverChoice?
  public var reset: DriverChoice?
  /// What takes the link away while a detached job runs.
  public var link: DriverChoice?
  public var boot: BootDescription
  /// What brings it back; nil: as its profile says, else ``RecoveryLadder/standard``.
  public var recovery: RecoveryLadder?
  /// How images get onto it.
  public var deploy: DeployWays
  /// Names of meters of the same bench.
  public var meters: [String]
  /// What one of them tells of its supply; nil: none is asked.
  public var supply: SupplyDescription?
  public var labels: [String: String]
  /// Asks another system before the board is used; nil: nobody else books it.
  public var lease: ExternalLease?
  /// Where its entry stands.
  public var location: SourceLocation

  /// Creates an entry.
  public init(
    name: String, profile: String, connection: DriverChoice? = nil, console: DriverChoice? = nil,
    bootloader: DriverChoice? = nil, power: DriverChoice? = nil, reset: DriverChoice? = nil,
    link: DriverChoice? = nil, boot: BootDescription = BootDescription(),
    recovery: RecoveryLadder? = nil, deploy: DeployWays = DeployWays(), meters: [String] = [],
    supply: SupplyDescription? = nil, labels: [String: String] = [:],
    lease: ExternalLease? = nil,
    location: SourceLocation
  ) {
    self.name = name
    self.profile = profile
    self.connection = connection
    self.console = console
    self.bootloader = bootloader
    self.power = power
    self.reset = reset
    self.link = link
    self.boot = boot
    self.recovery = recovery
    self.deploy = deploy
    self.meters = meters
    self.supply = supply
    self.labels = labels
    self.lease = lease
    self.location = location
  }
}

/// How a board boots, as far as its bench file says.
public struct BootDescription: Sendable, Hashable {
  /// A shell line that must succeed on a board that has booted.
  public var probe: String?
  public var timeoutSeconds: Double?
  /// How long power stays off when it is cycled.
  public var offSeconds: Double?
  /// So many starts of its boot loader or its kernel in one boot are a boot loop.
  public var starts: Int?

  /// Creates a description.
  public init(
    probe: String? = nil, timeoutSeconds: Double? = nil, offSeconds: Double? = nil,
    starts: Int? = nil
  ) {
    self.probe = probe
    self.timeoutSeconds = timeoutSeconds
    self.offSeconds = offSeconds
    self.starts = starts
  }
}

/// A meter of a bench.
public struct MeterEntry: Sendable, Hashable {
  public var name: String
  /// The driver's name and options, `match` among them where the meter is a device of this host.
  public var driver: DriverChoice
  public var location: SourceLocation

  /// Creates an entry.
  public init(name: String, driver: DriverChoice, location: SourceLocation) {
    self.name = name
    self.driver = driver
    self.location = location
  }
}

/// Which driver, and with what options, validated against its ``Declaration``:
/// `{usb-hub: {match: {...}, port: 3}}` is the driver `usb-hub` with two options.
public struct DriverChoice: Sendable, Hashable {
  public var driver: String
  /// Every declared option that was written or has a default.
  public var options: [String: Value]
  public var location: SourceLocation

  /// Creates a choice.
  public init(_ driver: String, options: [String: Value] = [:], location: SourceLocation) {
    self.driver = driver
    self.options = options
    self.location = location
  }
}

/// Commands that take and give back a board in another system (LAVA, a lab's own booking).
public struct ExternalLease: Sendable, Hashable {
  /// argv; exit code 0 grants the board, anything else refuses it.
  public var acquire: [String]
  /// argv; run when the lease ends.
  public var release: [String]

  /// Creates a pair of commands.
  public init(acquire: [String], release: [String]) {
    self.acquire = acquire
    self.release = release
  }
}
