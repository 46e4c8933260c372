/// A sum of doubles whose rounding errors are summed beside it (A. Neumaier, Zeitschrift für
/// angewandte Mathematik und Mechanik 54, 1974, pages 39 to 51): its error does not grow with the
/// number of terms.
public struct CompensatedSum: Sendable, Hashable {
  private var sum: Double
  private var lost = 0.0

  /// Begins with a number.
  public init(_ start: Double = 0) { sum = start }

  /// The sum so far.
  public var value: Double { sum + lost }

  /// Adds a finite number.
  @inline(__always)
  public mutating func add(_ number: Double) {
    let next = sum + number
    lost += abs(sum) >= abs(number) ? (sum - next) + number : (number - next) + sum
    sum = next
  }
}
