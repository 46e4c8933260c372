/// Count, mean, deviation and extremes of numbers seen one by one (Welford 1962).
struct Statistics {
  private(set) var count = 0
  private(set) var mean = 0.0
  private(set) var min = Double.infinity
  private(set) var max = -Double.infinity
  private var squares = 0.0

  /// Adds a finite number.
  mutating func add(_ number: Double) {
    count += 1
    let delta = number - mean
    mean += delta / Double(count)
    squares += delta * (number - mean)
    min = Swift.min(min, number)
    max = Swift.max(max, number)
  }

  /// The sample's standard deviation (by n - 1); nil below two numbers.
  var deviation: Double? {
    count > 1 ? (squares / Double(count - 1)).squareRoot() : nil
  }
}
