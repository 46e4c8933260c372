public import KelvinModel

/// What a reference tells of a meter's channels.
public enum CalibrationPoints {
  /// What is known of what is measured.
  public enum Way: Sendable, Hashable {
    /// Nothing flows.
    case zero
    /// A value of a voltage, a current or a power, and how far it may be off, in base units.
    case reference(Double, limit: Double, Dimension)
    /// A resistor is the only load.
    case load(LoadVerification.Load)
  }

  /// A point for each channel that it tells something of.
  ///
  /// - Parameters:
  ///   - channel: the only one that is meant; nil: all of the kind.
  ///   - known: what earlier points tell of the voltage, for a resistor.
  /// - Throws: `invalid` when no channel is meant, or several are by one reference.
  public static func of(
    _ figures: [MeterStatistics.ChannelFigures], _ way: Way, only channel: String?,
    knowing known: MeterCalibration, meter: String, date: String
  ) throws(MeterFailure) -> [(channel: String, point: MeterCalibration.Point)] {
    let all = figures.filter { $0.count > 1 && $0.channel.wrap == nil }
    if let channel, !all.contains(where: { $0.channel.name == channel }) {
      throw MeterFailure(
        .invalid, "\(meter): it has no channel '\(channel)' with values",
        hint: "it has " + all.map(\.channel.name).joined(separator: ", "))
    }
    let meant = all.filter { channel == nil || $0.channel.name == channel }
    let points: [(channel: String, point: MeterCalibration.Point)]
    switch way {
    case .zero:
      // A voltage is rarely 0 because nothing flows.
      points = meant.filter {
        channel != nil || $0.channel.kind == .current || $0.channel.kind == .power
      }.map { ($0.channel.name, point($0, 0, limit: 0, date)) }
    case .reference(let value, let limit, let dimension):
      let fitting = meant.filter { Unit(symbol: $0.channel.unit)?.dimension == dimension }
      guard fitting.count <= 1 else {
        throw MeterFailure(
          .invalid,
          "\(meter): '\(dimension.rawValue)' means "
            + fitting.map(\.channel.name).joined(separator: ", "),
          hint: "name one of them by --channel")
      }
      points = fitting.map { figures in
        let factor = Unit(symbol: figures.channel.unit)?.factor ?? 1
        return (figures.channel.name, point(figures, value / factor, limit: limit / factor, date))
      }
    case .load(let load):
      points = meant.filter { $0.channel.kind == .current }.compactMap { current in
        guard
          let voltage = all.first(where: {
            $0.channel.kind == .voltage && $0.channel.site == current.channel.site
          }), let unit = Unit(symbol: current.channel.unit),
          let volts = corrected(voltage, known), volts.value != 0
        else { return nil }
        let amperes = volts.value / load.resistance / unit.factor
        let limit = abs(amperes) * (load.tolerance + volts.limit / abs(volts.value))
        return (current.channel.name, point(current, amperes, limit: limit, date))
      }
    }
    guard !points.isEmpty else {
      throw MeterFailure(
        .invalid, "\(meter): none of its channels can be compared with that",
        hint: "it has "
          + all.map { "\($0.channel.name) (\($0.channel.unit))" }
          .joined(separator: ", "))
    }
    return points
  }

  private static func point(
    _ figures: MeterStatistics.ChannelFigures, _ reference: Double, limit: Double, _ date: String
  ) -> MeterCalibration.Point {
    // A mean is taken to be no finer than what can be told apart.
    let step = (figures.channel.accuracy?.resolution ?? figures.channel.scale) / 12.0.squareRoot()
    return MeterCalibration.Point(
      reference: reference, limit: limit, measured: figures.mean,
      uncertainty: max(step, figures.meanUncertainty), date: date)
  }

  /// A voltage in volts, as far as it is known; nil where nobody states how far it may be off.
  private static func corrected(
    _ figures: MeterStatistics.ChannelFigures, _ known: MeterCalibration
  ) -> (value: Double, limit: Double)? {
    guard let unit = Unit(symbol: figures.channel.unit) else { return nil }
    let channel = known.corrected(figures.channel)
    let correction = known.correction(of: figures.channel.name)
    let value = figures.mean * (correction?.gain ?? 1) + (correction?.offset ?? 0)
    guard let accuracy = channel.accuracy else { return nil }
    // As a limit again: what is expanded by k is √3 standard uncertainties.
    let share = accuracy.coverageFactor.map { 3.0.squareRoot() / $0 } ?? 1
    return (
      value * unit.factor,
      (accuracy.gain * abs(value) + accuracy.offset) * share * unit.factor
    )
  }
}
