/// What power is computed from: channels of one meter.
public struct PowerSource: Sendable, Hashable {
  public let form: Form
  public let meter: MeterIdentity
  /// What carries the power: the current, or the power itself.
  public let main: Factor
  /// Nil when the main factor is power; the voltage, measured or assumed.
  public let voltage: Voltage?

  /// Which channels, by their place among the meter's.
  public enum Form: Sendable, Hashable {
    case power(Int)
    case product(voltage: Int, current: Int)
    case assumed(AssumedVoltage, current: Int)
  }

  /// A supply's voltage that nothing measures.
  public struct AssumedVoltage: Sendable, Hashable, Codable {
    /// In volts.
    public var value: Double
    /// Standard uncertainty, in volts.
    public var uncertainty: Double

    /// Describes a voltage.
    public init(_ value: Double, uncertainty: Double) {
      self.value = value
      self.uncertainty = uncertainty
    }
  }

  /// A channel whose codes become values in a base unit.
  public struct Factor: Sendable, Hashable {
    public let index: Int
    public let channel: Channel
    /// Base units in one of the channel's unit: 0.001 for mA.
    public let unit: Double

    /// Base units a code.
    public var scale: Double { channel.scale * unit }
    /// In base units.
    public var offset: Double { channel.offset * unit }
    /// In base units.
    public var resolution: Double {
      abs(channel.accuracy?.resolution.map { $0 * unit } ?? scale)
    }
    /// In base units.
    public var range: ClosedRange<Double>? {
      channel.range.map { $0.lowerBound * unit...$0.upperBound * unit }
    }
  }

  /// Where the voltage comes from.
  public enum Voltage: Sendable, Hashable {
    case measured(Factor)
    case assumed(AssumedVoltage)
  }

  /// Takes channels of a meter.
  ///
  /// - Throws: `configuration` when there is no such channel, or its unit or scale cannot be used.
  public init(
    _ form: Form, of channels: [Channel], meter: MeterIdentity
  ) throws(FigureFailure) {
    self.form = form
    self.meter = meter
    switch form {
    case .power(let index):
      main = try Self.factor(index, channels, .power, meter)
      voltage = nil
    case .product(let voltage, let current):
      main = try Self.factor(current, channels, .current, meter)
      self.voltage = .measured(try Self.factor(voltage, channels, .voltage, meter))
    case .assumed(let assumed, let current):
      guard assumed.value.isFinite, assumed.uncertainty >= 0, assumed.uncertainty.isFinite else {
        throw FigureFailure(
          .configuration, "\(meter.name): an assumed voltage of \(assumed.value) V cannot be used")
      }
      main = try Self.factor(current, channels, .current, meter)
      voltage = .assumed(assumed)
    }
  }

  /// The best source for a site: voltage times current, since both are known better than a product that
  /// a meter rounds; then a power channel; then a current with an assumed voltage. Nil when the
  /// site has none of them.
  public static func best(
    of channels: [Channel], site: String, assuming assumed: AssumedVoltage? = nil,
    meter: MeterIdentity
  ) throws(FigureFailure) -> PowerSource? {
    func index(_ kind: MeterChannel.Kind) -> Int? {
      channels.firstIndex { $0.site == site && $0.kind == kind }
    }
    if let voltage = index(.voltage), let current = index(.current) {
      return try PowerSource(
        .product(voltage: voltage, current: current), of: channels, meter: meter)
    }
    if let power = index(.power) { return try PowerSource(.power(power), of: channels, meter: meter) }
    guard let current = index(.current), let assumed else { return nil }
    return try PowerSource(.assumed(assumed, current: current), of: channels, meter: meter)
  }

  /// What power the ranges of the channels allow, in watts; nil when one of them has none.
  public var rangeOfPower: ClosedRange<Double>? {
    guard let main = main.range else { return nil }
    let voltages: ClosedRange<Double>
    switch voltage {
    case nil: return main
    case .assumed(let assumed): voltages = assumed.value...assumed.value
    case .measured(let factor):
      guard let range = factor.range else { return nil }
      voltages = range
    }
    let corners = [
      main.lowerBound * voltages.lowerBound, main.lowerBound * voltages.upperBound,
      main.upperBound * voltages.lowerBound, main.upperBound * voltages.upperBound
    ]
    return (corners.min() ?? 0)...(corners.max() ?? 0)
  }

  private static func factor(
    _ index: Int, _ channels: [Channel], _ dimension: Dimension, _ meter: MeterIdentity
  ) throws(FigureFailure) -> Factor {
    guard channels.indices.contains(index) else {
      throw FigureFailure(
        .configuration, "\(meter.name): no channel \(index); it has \(channels.count)")
    }
    let channel = channels[index]
    guard let unit = Unit(symbol: channel.unit), unit.dimension == dimension else {
      throw FigureFailure(
        .configuration,
        "\(meter.name): channel \(channel.name) is in '\(channel.unit)', no unit of \(dimension)")
    }
    guard channel.scale.isFinite, channel.scale != 0, channel.offset.isFinite else {
      throw FigureFailure(
        .configuration,
        "\(meter.name): channel \(channel.name) has a scale of \(channel.scale)",
        hint: "a shunt of 0 gives that; check the meter's shunt setting")
    }
    return Factor(index: index, channel: channel, unit: unit.factor)
  }
}
