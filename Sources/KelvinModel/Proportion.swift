/// How many of a number of trials came out one way, and what that says of the next ones.
public struct Proportion: Sendable, Hashable {
  /// The trials that came out so; 0...`total`.
  public let count: Int
  public let total: Int

  /// Creates a proportion; what cannot be is taken for the nearest that can.
  public init(_ count: Int, of total: Int) {
    self.total = max(0, total)
    self.count = min(max(0, count), self.total)
  }

  /// 0...1; nil when nothing was tried.
  public var share: Double? { total == 0 ? nil : Double(count) / Double(total) }

  /// Where the true share is with 95 % confidence; all of 0...1 when nothing was tried.
  ///
  /// Wilson's score interval without correction for continuity (E. B. Wilson, Journal of the American
  /// Statistical Association 22, 1927, pages 209 to 212): unlike the usual one it stays within 0...1, and
  /// says something also when none or all of a few trials came out so.
  public var interval: ClosedRange<Double> {
    guard total > 0 else { return 0...1 }
    let n = Double(total)
    let p = Double(count) / n
    // The 97.5th percentile of the standard normal distribution.
    let z = 1.959_963_984_540_054
    let middle = p + z * z / (2 * n)
    let half = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    let scale = 1 + z * z / n
    let lower = count == 0 ? 0 : max(0, (middle - half) / scale)
    let upper = count == total ? 1 : min(1, (middle + half) / scale)
    return lower...max(lower, upper)
  }
}
