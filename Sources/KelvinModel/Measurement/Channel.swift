/// A channel of a meter or a capture: what is measured at one site, and how its codes become values.
public struct Channel: Sendable, Hashable, Codable {
  /// Differs within a meter: `vdd_cpu.power`.
  public var name: String
  /// Where it is measured, so that voltage and current of one place are found together; empty when
  /// that is not known.
  public var site: String
  /// Nil for what is no electrical quantity, such as the content of a sampled file.
  public var kind: MeterChannel.Kind?
  /// Unit of the values.
  public var unit: String
  /// Value = code * scale + offset.
  public var scale: Double
  public var offset: Double
  /// What the meter can tell apart, in ``unit``; a value at its ends may be a saturated one.
  public var range: ClosedRange<Double>?
  /// How far values may be off; nil when nobody says.
  public var accuracy: Accuracy?
  /// For counters that only grow: the number of codes after which one starts again from 0; 0 when it
  /// does so at a place that nobody knows. Nil for everything else.
  public var wrap: UInt64?
  /// The time over which the meter averages each value, or converts it once, in seconds; nil when it
  /// is not known. A value is the mean over this time before its time stamp.
  public var averagingTime: Double?

  /// Describes a channel.
  public init(
    name: String, unit: String, scale: Double = 1, offset: Double = 0, site: String = "",
    kind: MeterChannel.Kind? = nil, range: ClosedRange<Double>? = nil, accuracy: Accuracy? = nil,
    wrap: UInt64? = nil, averagingTime: Double? = nil
  ) {
    self.name = name
    self.site = site
    self.kind = kind
    self.unit = unit
    self.scale = scale
    self.offset = offset
    self.range = range
    self.accuracy = accuracy
    self.wrap = wrap
    self.averagingTime = averagingTime
  }

  /// The value of a code.
  public func value(of code: Int64) -> Double { Double(code) * scale + offset }
}
