internal import Glibc

/// Student's distribution.
public enum StudentFactor {
  /// The share of a normal distribution within two standard deviations.
  public static let coverage = 0.954_499_736_103_641_6

  /// By how much a standard uncertainty with few degrees of freedom is expanded, so that the interval
  /// holds as much as k = 2 does with many (JCGM 100:2008, table G.2): 13.97 for 1, 2.32 for 9.
  public static func twoSided(_ degreesOfFreedom: Double, coverage: Double = coverage) -> Double {
    guard degreesOfFreedom > 0, coverage > 0, coverage < 1 else { return .infinity }
    // Above, it differs from the normal distribution's by less than one part in 10^6.
    let freedom = min(degreesOfFreedom, 1e6)
    var low = 0.0
    var high = 2.0
    while tails(high, freedom) > 1 - coverage, high < 1e12 { high *= 2 }
    for _ in 0..<200 where high - low > 1e-13 * high {
      let middle = (low + high) / 2
      if tails(middle, freedom) > 1 - coverage { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }

  /// The probability of more than ±t: I(ν/(ν+t²); ν/2, 1/2) (Abramowitz and Stegun 26.7.1, 26.5.27).
  private static func tails(_ t: Double, _ freedom: Double) -> Double {
    incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5)
  }

  /// The regularized incomplete beta function by its continued fraction (Abramowitz and Stegun
  /// 26.5.8), evaluated by Lentz' method.
  private static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
    if x <= 0 { return 0 }
    if x >= 1 { return 1 }
    if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(1 - x, b, a) }
    let front = exp(a * log(x) + b * log(1 - x) + logGamma(a + b) - logGamma(a) - logGamma(b)) / a
    let tiny = 1e-300
    var c = 1.0
    var d = 1 / nonZero(1 - (a + b) * x / (a + 1), tiny)
    var fraction = d
    for m in 1...10_000 {
      let n = Double(m)
      for term in [
        n * (b - n) * x / ((a + 2 * n - 1) * (a + 2 * n)),
        -(a + n) * (a + b + n) * x / ((a + 2 * n) * (a + 2 * n + 1))
      ] {
        d = 1 / nonZero(1 + term * d, tiny)
        c = nonZero(1 + term / c, tiny)
        fraction *= c * d
      }
      if abs(c * d - 1) < 1e-15 { break }
    }
    return front * fraction
  }

  private static func nonZero(_ x: Double, _ tiny: Double) -> Double { abs(x) < tiny ? tiny : x }

  private static func logGamma(_ x: Double) -> Double {
    var sign: Int32 = 0
    return lgamma_r(x, &sign)
  }
}
