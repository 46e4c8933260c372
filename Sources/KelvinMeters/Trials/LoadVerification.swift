internal import KelvinModel

/// Whether a meter is right about a resistor that is known: u = R·i and p = u²/R, within what is stated.
///
/// The judgment is the normalized error of ISO 13528: En = |difference| / U(difference), U expanded
/// by k = 2; up to 1 it passes. A difference that could be seen only when it is more than a fifth of the
/// value tells nothing.
public struct LoadVerification: Sendable {
  /// A resistor.
  public struct Load: Sendable, Hashable {
    /// In ohms.
    public var resistance: Double
    /// How far it may be off, relative, as a limit.
    public var tolerance: Double

    /// Reads `100 ohm`, `100ohm,1%`, `4.7 ohm, 5 %`; nil for anything else. 5 % where nobody says.
    public init?(_ text: String) {
      let parts = text.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false).map {
        Quantity(String($0))
      }
      guard let first = parts.first ?? nil, first.unit?.dimension == .resistance, first.value > 0
      else { return nil }
      resistance = first.value
      tolerance = 0.05
      guard parts.count == 2 else { return }
      guard let second = parts[1], second.unit?.dimension == .ratio, second.value >= 0,
        second.value < 1
      else { return nil }
      tolerance = second.value
    }
  }

  public enum Verdict: String, Sendable {
    case pass, fail
    case cannotTell = "cannot tell"
  }

  /// One channel against what the others and the resistor say.
  public struct Check: Sendable, Hashable {
    public var channel: String
    public var unit: String
    public var measured: Double
    public var expected: Double
    /// Of the difference, expanded by k = 2; nil where the meter states nothing.
    public var uncertainty: Double?
    public var verdict: Verdict
    /// What is compared, and why it cannot be told.
    public var text: String

    /// The normalized error; nil where it cannot be told.
    public var normalizedError: Double? {
      uncertainty.flatMap { $0 > 0 ? abs(measured - expected) / $0 : nil }
    }
  }

  public private(set) var checks: [Check] = []

  /// The worst of the checks that could tell; `cannotTell` when none could.
  public var verdict: Verdict {
    if checks.contains(where: { $0.verdict == .fail }) { return .fail }
    return checks.contains { $0.verdict == .pass } ? .pass : .cannotTell
  }

  /// The relative uncertainty (k = 2) beyond which a comparison tells nothing.
  public static let greatestUncertainty = 0.2

  /// Compares.
  ///
  /// - Parameter figures: of a meter whose only load is the resistor.
  /// - Throws: `unsupported` without a voltage and a current, or a power and one of them, at one site.
  public init(
    _ figures: [MeterStatistics.ChannelFigures], _ load: Load, meter: String
  ) throws(MeterFailure) {
    let good = figures.filter { $0.count > 1 && $0.channel.wrap == nil }
    for site in Self.sites(of: good) {
      func first(_ kind: MeterChannel.Kind) -> Reading? {
        good.first { $0.channel.site == site && $0.channel.kind == kind }.flatMap(Reading.init)
      }
      compare(first(.voltage), first(.current), first(.power), load)
    }
    guard !checks.isEmpty else {
      throw MeterFailure(
        .unsupported,
        "\(meter): it takes a voltage and a current, or a power and one of them, at one site",
        hint: "it has " + figures.map(\.channel.name).joined(separator: ", "))
    }
  }

  private static func sites(of figures: [MeterStatistics.ChannelFigures]) -> [String] {
    var sites: [String] = []
    for figures in figures where !sites.contains(figures.channel.site) {
      sites.append(figures.channel.site)
    }
    return sites
  }

  /// A mean in base units, with its standard uncertainty; nil for what is in no known unit.
  private struct Reading {
    var name: String
    var unit: String
    var value: Double
    /// Relative; nil where nobody says.
    var relative: Double?

    init?(_ figures: MeterStatistics.ChannelFigures) {
      guard let unit = Unit(symbol: figures.channel.unit) else { return nil }
      name = figures.channel.name
      self.unit = unit.dimension.baseUnit
      value = figures.mean * unit.factor
      guard let accuracy = figures.channel.accuracy, value != 0 else { return }
      let divisor = accuracy.coverageFactor ?? 3.0.squareRoot()
      let limits = [
        accuracy.gain * abs(figures.mean) / divisor, accuracy.offset / divisor,
        (accuracy.resolution ?? figures.channel.scale) / 12.0.squareRoot(),
        figures.meanUncertainty
      ]
      let combined = limits.reduce(0) { $0 + $1 * $1 }.squareRoot()
      relative = combined * unit.factor / abs(value)
    }
  }

  private mutating func compare(
    _ voltage: Reading?, _ current: Reading?, _ power: Reading?, _ load: Load
  ) {
    let resistor = load.tolerance / 3.0.squareRoot()
    let ohms = load.resistance
    if let voltage, let current {
      check(
        current, voltage.value / ohms, "the voltage over the resistor",
        [current.relative, voltage.relative, resistor])
    }
    guard let power else { return }
    if let voltage {
      check(
        power, voltage.value * voltage.value / ohms, "the voltage squared over the resistor",
        [power.relative, voltage.relative.map { 2 * $0 }, resistor])
    } else if let current {
      check(
        power, current.value * current.value * ohms, "the current squared times the resistor",
        [power.relative, current.relative.map { 2 * $0 }, resistor])
    }
  }

  /// - Parameter parts: relative standard uncertainties of what the difference is made of.
  private mutating func check(
    _ reading: Reading, _ expected: Double, _ text: String, _ parts: [Double?]
  ) {
    let known = parts.compactMap(\.self)
    var check = Check(
      channel: reading.name, unit: reading.unit, measured: reading.value, expected: expected,
      uncertainty: nil, verdict: .cannotTell, text: "against \(text)")
    defer { checks.append(check) }
    guard known.count == parts.count else {
      check.text += "; nobody states how far its values may be off ('accuracy' does)"
      return
    }
    let relative = 2 * known.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let uncertainty = relative * abs(expected)
    check.uncertainty = uncertainty
    guard relative <= Self.greatestUncertainty, expected != 0 else {
      check.text += "; what is stated allows for more than \(Int(Self.greatestUncertainty * 100)) %"
      return
    }
    check.verdict = abs(reading.value - expected) <= uncertainty ? .pass : .fail
  }
}
