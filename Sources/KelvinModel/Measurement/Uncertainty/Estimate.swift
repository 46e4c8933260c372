/// A value that was derived from figures, with its uncertainty, and with what was lost stated apart.
public struct Estimate: Sendable, Hashable, Codable {
  public var value: Double
  /// `J`, `W`, or empty for ratios.
  public var unit: String
  public var budget: UncertaintyBudget
  /// By how much the value may be off, besides, because of time in which nothing was measured: no
  /// probability, a limit. Nil when nobody can say.
  public var lossBound: Double?
  /// How it came about, for people: `a less 0.5 of b (idle)`.
  public var statement: String

  /// Describes a value.
  public init(
    _ value: Double, unit: String, budget: UncertaintyBudget, lossBound: Double? = 0,
    statement: String
  ) {
    self.value = value
    self.unit = unit
    self.budget = budget
    self.lossBound = lossBound
    self.statement = statement
  }

  /// Expanded uncertainty, k = 2.
  public var expanded: Double { budget.expanded }

  /// Σ factor·value, for sums and differences of rails. Terms must not share samples; what they share
  /// by meter and calibration cancels or adds up as it should.
  public static func sum(
    _ terms: [(factor: Double, estimate: Estimate)], statement: String
  ) -> Estimate {
    var value = CompensatedSum()
    var loss: Double? = 0
    for (factor, estimate) in terms {
      value.add(factor * estimate.value)
      loss = loss.flatMap { sum in estimate.lossBound.map { sum + abs(factor) * $0 } }
    }
    return Estimate(
      value.value, unit: terms.first?.estimate.unit ?? "",
      budget: .combining(terms.map { ($0.factor, $0.estimate.budget) }), lossBound: loss,
      statement: statement)
  }

  /// a − b.
  public static func difference(of a: Estimate, and b: Estimate) -> Estimate {
    sum([(1, a), (-1, b)], statement: "\(a.statement) less \(b.statement)")
  }

  /// a / b, as for an efficiency: output by input. To first order (JCGM 100:2008, 5.1.2), which is good
  /// while b's uncertainty is small against b; nil when b is not clearly different from 0.
  public static func ratio(of a: Estimate, to b: Estimate) -> Estimate? {
    guard abs(b.value) > 3 * b.budget.standard, b.value != 0 else { return nil }
    let value = a.value / b.value
    var loss: Double?
    if let above = a.lossBound, let below = b.lossBound, below < abs(b.value) {
      loss = (above + abs(value) * below) / (abs(b.value) - below)
    }
    return Estimate(
      value, unit: a.unit == b.unit ? "" : "\(a.unit)/\(b.unit)",
      budget: .combining([(1 / b.value, a.budget), (-value / b.value, b.budget)]),
      lossBound: loss, statement: "\(a.statement) by \(b.statement)")
  }

  /// Energy less what the board would have used idle in the same time: E − E(idle)·T/T(idle). The
  /// offset of a meter cancels in it altogether.
  public static func withoutIdle(
    _ energy: Estimate, seconds: Double, idle: Estimate, idleSeconds: Double
  ) -> Estimate? {
    guard seconds > 0, idleSeconds > 0 else { return nil }
    let factor = seconds / idleSeconds
    return sum(
      [(1, energy), (-factor, idle)],
      statement: "\(energy.statement) less \(factor) of \(idle.statement) (idle)")
  }
}
