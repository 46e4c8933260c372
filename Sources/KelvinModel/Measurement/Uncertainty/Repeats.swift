/// The same thing measured several times.
public struct Repeats: Sendable, Hashable, Codable {
  public var count: Int
  public var mean: Double
  public var least: Double
  public var greatest: Double
  /// The standard deviation of one repeat, by n − 1 (JCGM 100:2008, 4.2.2); nil for one repeat.
  public var spread: Double?
  /// Of the mean: what all repeats have in common by their meters, and how far they scatter.
  public var estimate: Estimate

  /// Of the mean by its scatter alone: spread / √n (JCGM 100:2008, 4.2.3); nil for one repeat.
  public var standardUncertainty: Double? { spread.map { $0 / Double(count).squareRoot() } }

  /// What to expand the scatter by, for few repeats hold less than many; nil for one repeat.
  public var studentFactor: Double? {
    count > 1 ? StudentFactor.twoSided(Double(count - 1)) : nil
  }

  /// Of repeats that are independent of each other; nil when there is none.
  ///
  /// The random components of the single figures show in their scatter already, so the scatter takes
  /// their place; one repeat keeps them.
  public init?(_ repeats: [Estimate], statement: String = "mean") {
    guard let first = repeats.first else { return nil }
    count = repeats.count
    let n = Double(repeats.count)
    let values = repeats.map(\.value)
    var sum = CompensatedSum()
    for value in values { sum.add(value) }
    let mean = sum.value / n
    self.mean = mean
    least = values.min() ?? mean
    greatest = values.max() ?? mean
    var whole = Estimate.sum(
      repeats.map { (1 / n, $0) },
      statement: repeats.count == 1 ? first.statement : "\(statement) of \(repeats.count)")
    if repeats.count > 1 {
      var squares = CompensatedSum()
      for value in values { squares.add((value - mean) * (value - mean)) }
      let spread = (squares.value / (n - 1)).squareRoot()
      self.spread = spread
      whole.budget.components.removeAll { $0.key == nil }
      whole.budget.components.append(
        UncertaintyComponent(
          "repeatability", spread / n.squareRoot(), .a, degreesOfFreedom: n - 1))
    }
    estimate = whole
  }
}
