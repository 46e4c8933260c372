/// How times of a meter's clock become times of the host's monotonic clock:
/// host = meter + offset + (meter − origin)·skew.
public struct ClockFit: Sendable, Hashable, Codable {
  /// On the meter's clock, in nanoseconds: where ``offset`` holds; the middle of what was fitted.
  public var origin: Int64
  /// Host's clock less the meter's, in nanoseconds.
  public var offset: Int64
  /// By how much the host's clock runs faster: 1e-6 is 1 ppm.
  public var skew: Double
  /// The standard uncertainty of a mapped time, in nanoseconds.
  public var uncertainty: Double
  /// The greatest distance of a mapped time from what was observed, in nanoseconds.
  public var residual: Double
  /// Observations that it rests on; 0 when the meter's clock is the host's own.
  public var count: Int
  /// The standard uncertainty of ``skew``; nil when nothing is known of it.
  public var skewUncertainty: Double?

  /// Describes a mapping.
  public init(
    origin: Int64, offset: Int64, skew: Double, uncertainty: Double, residual: Double, count: Int,
    skewUncertainty: Double? = nil
  ) {
    self.origin = origin
    self.offset = offset
    self.skew = skew
    self.uncertainty = uncertainty
    self.residual = residual
    self.count = count
    self.skewUncertainty = skewUncertainty
  }

  /// Of a meter that is read with the host's own clock.
  public static let host = ClockFit(
    origin: 0, offset: 0, skew: 0, uncertainty: 0, residual: 0, count: 0)

  /// The host's time of a time of the meter.
  public func host(_ time: Int64) -> Int64 {
    time &+ offset &+ Int64((Double(time &- origin) * skew).rounded())
  }

  /// The meter's time of a time of the host.
  public func meter(_ time: Int64) -> Int64 {
    let plain = time &- offset
    return origin &+ Int64((Double(plain &- origin) / (1 + skew)).rounded())
  }
}
