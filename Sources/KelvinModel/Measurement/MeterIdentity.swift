/// Which meter it was, as exactly as it can be told: figures of one meter are compared without what is
/// common to them.
public struct MeterIdentity: Sendable, Hashable, Codable {
  /// What people call it: its name in the bench file, or what the driver makes of its place.
  public var name: String
  public var driver: String
  /// As it says itself; empty when it does not.
  public var model: String
  public var serial: String
  public var firmware: String
  /// How it is reached: a path, an address, and on which board.
  public var location: String
  /// Which of its ranges or settings was used; figures of two ranges share no gain error.
  public var range: String
  /// When it was last calibrated, as ISO 8601 writes a date, and by what; empty when that is not
  /// known.
  public var calibration: String
  /// What its driver has been run against: `simulator only`.
  public var verified: String

  /// Describes a meter.
  public init(
    name: String, driver: String, model: String = "", serial: String = "", firmware: String = "",
    location: String = "", range: String = "", calibration: String = "", verified: String = ""
  ) {
    self.name = name
    self.driver = driver
    self.model = model
    self.serial = serial
    self.firmware = firmware
    self.location = location
    self.range = range
    self.calibration = calibration
    self.verified = verified
  }
}
