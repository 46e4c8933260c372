public import KelvinConnections
public import KelvinModel

/// A kind of meter: finds what there is of it, and opens one.
public protocol MeterDriver: Sendable {
  /// Its name in bench files, and what may be written there.
  var declaration: Declaration { get }
  /// Whether a meter with these options is read through the link to the board, so that it measures nothing
  /// while that is away.
  func needsLink(_ options: [String: Value]) -> Bool
  /// What it finds on a board, or on this machine, without any configuration.
  ///
  /// Whatever it finds it names by options that ``open(name:options:through:until:)`` takes.
  func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter]
  /// Opens one; nothing of it is changed before it is set or started.
  ///
  /// - Parameters:
  ///   - name: what it is called in messages.
  ///   - options: validated against the declaration, defaults filled in.
  ///   - connection: to the board that has the meter, or to this machine.
  func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter
}

extension MeterDriver {
  /// Yes: of drivers that read files of the board.
  public func needsLink(_ options: [String: Value]) -> Bool { true }

  /// Nothing: of drivers whose meters must be named.
  public func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] { [] }
}

/// A meter that needs no configuration to be used.
public struct FoundMeter: Sendable, Hashable {
  /// By which people may call it: `hwmon/ina226-i2c-1-40`; differs within a board.
  public var name: String
  public var driver: String
  /// That open it.
  public var options: [String: Value]
  /// One line on what it is.
  public var summary: String
  public var channels: [Channel]
  /// Why it cannot be used as things are, and what to do; nil when it can.
  public var obstacle: MeterFailure?

  /// Describes one.
  public init(
    name: String, driver: String, options: [String: Value], summary: String, channels: [Channel],
    obstacle: MeterFailure? = nil
  ) {
    self.name = name
    self.driver = driver
    self.options = options
    self.summary = summary
    self.channels = channels
    self.obstacle = obstacle
  }
}
