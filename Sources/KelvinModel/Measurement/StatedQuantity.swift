/// A quantity with the limit of its error, as people write it: `5 V ± 0.1 V`.
public struct StatedQuantity: Sendable, Hashable {
  /// In the base unit.
  public var value: Double
  /// Nil when none was written.
  public var limit: Double?

  /// Reads one of a dimension; nil when it is none, or its limit is negative.
  public init?(_ text: String, _ dimension: Dimension) {
    let parts = text.split(separator: "±", omittingEmptySubsequences: false).map {
      Quantity(String($0))
    }
    guard (1...2).contains(parts.count), let value = parts[0], value.unit?.dimension == dimension
    else { return nil }
    self.value = value.value
    guard parts.count == 2 else { return }
    guard let limit = parts[1], limit.unit?.dimension == dimension, limit.value >= 0 else {
      return nil
    }
    self.limit = limit.value
  }

  /// Of a rectangular distribution within the limit (JCGM 100:2008, 4.3.7).
  public var standardUncertainty: Double? { limit.map { $0 / 3.0.squareRoot() } }
}

extension PowerSource.AssumedVoltage {
  /// The voltage of a supply, as people write it; without a limit it is within 5 %, as supplies are.
  public init?(_ text: String) {
    guard let stated = StatedQuantity(text, .voltage), stated.value > 0 else { return nil }
    self.init(
      stated.value,
      uncertainty: stated.standardUncertainty ?? 0.05 * stated.value / 3.0.squareRoot())
  }
}
