public import KelvinModel

/// What the board would have used without the workload: measured before it, or stated.
public enum IdlePower: Sendable, Hashable {
  /// For so many seconds before each job.
  case measured(seconds: Double)
  case stated(StatedQuantity)

  /// Reads `10 s`, or `1.2 W ± 0.1 W`; nil for anything else.
  public init?(_ text: String) {
    if let quantity = Quantity(text), quantity.unit?.dimension == .time,
      (0.01...86_400).contains(quantity.value)
    {
      self = .measured(seconds: quantity.value)
    } else if let stated = StatedQuantity(text, .power), stated.value >= 0 {
      self = .stated(stated)
    } else {
      return nil
    }
  }

  /// For messages: how it may be written.
  public static let expectation = "a time such as '10 s', or a power such as '1.2 W ± 0.1 W'"

  /// The energy in so many seconds, as far as it is stated.
  public static func energy(_ power: StatedQuantity, seconds: Double) -> Estimate {
    var parts: [UncertaintyComponent] = []
    if let uncertainty = power.standardUncertainty {
      parts.append(
        UncertaintyComponent(
          "stated idle power", uncertainty * seconds, .b,
          key: CorrelationKey(meter: "stated", effect: "idle power")))
    }
    return Estimate(
      power.value * seconds, unit: "J", budget: UncertaintyBudget(parts),
      statement: "stated idle power")
  }
}
