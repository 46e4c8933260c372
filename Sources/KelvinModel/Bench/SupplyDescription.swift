/// What a meter at a board's supply can tell of the board, as its bench file says: that it browns out, and
/// that it is discharged.
public struct SupplyDescription: Sendable, Hashable {
  /// One of the board's meters.
  public var meter: String
  /// The meter's channel of the supply's voltage; nil: its only voltage.
  public var voltage: String?
  /// The meter's channel of the supply's current; nil: its only current.
  public var current: String?
  /// Volts below which no attempt is worth anything; nil: nobody looks.
  public var brownOut: Double?
  /// Volts and amperes at or below which the board counts as off; both nil: nobody looks.
  public var offVoltage: Double?
  public var offCurrent: Double?
  /// How long that may take after its power was switched off, in seconds.
  public var offSeconds: Double

  /// Describes a supply.
  public init(
    meter: String, voltage: String? = nil, current: String? = nil, brownOut: Double? = nil,
    offVoltage: Double? = nil, offCurrent: Double? = nil, offSeconds: Double = 30
  ) {
    self.meter = meter
    self.voltage = voltage
    self.current = current
    self.brownOut = brownOut
    self.offVoltage = offVoltage
    self.offCurrent = offCurrent
    self.offSeconds = offSeconds
  }

  /// Whether it says when the board counts as off.
  public var tellsOff: Bool { offVoltage != nil || offCurrent != nil }
}
