public import KelvinModel

/// A place of which a meter tells energy, and from what.
public struct MeterSite: Sendable, Hashable {
  public var name: String
  public var source: Source

  /// What the energy comes of.
  public enum Source: Sendable, Hashable {
    /// A counter of energy: its place among the channels.
    case counter(Int)
    case power(PowerSource)
  }

  /// The sites of some channels, in their order; those of which no energy comes are left out.
  ///
  /// - Throws: `configuration` when there is none, or a channel cannot be used.
  public static func all(
    of channels: [Channel], meter: MeterIdentity,
    assuming voltage: PowerSource.AssumedVoltage? = nil
  ) throws -> [MeterSite] {
    var sites: [MeterSite] = []
    var seen: Set<String> = []
    for channel in channels where seen.insert(channel.site).inserted {
      let name = channel.site
      if let counter = channels.firstIndex(where: {
        $0.site == name && $0.kind == .energy && $0.wrap != nil
      }) {
        sites.append(MeterSite(name: name, source: .counter(counter)))
      } else if let source = try PowerSource.best(
        of: channels, site: name, assuming: voltage, meter: meter)
      {
        sites.append(MeterSite(name: name, source: .power(source)))
      }
    }
    guard !sites.isEmpty else {
      throw MeterFailure(
        .unsupported,
        "\(meter.name): no energy comes of its channels "
          + channels.map(\.name).joined(separator: ", "),
        hint: "it takes power, an energy counter, or voltage and current of one site")
    }
    return sites
  }
}

/// When the values of some channels were measured, against their time stamps.
public struct MeterTiming: Sendable, Hashable {
  /// By how much a value is later than the middle of the time over which it is a mean, in nanoseconds.
  public let lag: Int64
  /// The standard uncertainty of when values were measured, in nanoseconds: a meter that is polled gives its
  /// last conversion, begun up to two averaging times ago or held since the last one, and does not say which.
  /// A limit of one averaging time around ``lag``, rectangular.
  public let alignment: Double

  /// Of the slowest of them.
  public init(_ channels: [Channel]) {
    lag = Int64((channels.compactMap(\.averagingTime).max() ?? 0) * 1e9 / 2)
    alignment = 2 * Double(lag) / 3.0.squareRoot()
  }
}
