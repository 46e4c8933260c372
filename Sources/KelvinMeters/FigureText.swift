internal import Foundation
public import KelvinModel

/// Values with units, and with their uncertainty, as people read them.
public enum FigureText {
  /// `6.27 W`, `12.5 mA`: four digits, with the prefix that makes them between 1 and 1000.
  public static func quantity(_ value: Double, _ unit: String) -> String {
    guard value.isFinite else { return "- \(unit)" }
    guard value != 0 else { return "0 \(unit)" }
    let (factor, prefix) = scale(of: abs(value), unit)
    return "\(digits(value / factor, 4)) \(prefix)\(unit)"
  }

  /// `12.35 J ± 0.14 J`: the uncertainty to two significant digits, the value to the same place (JCGM
  /// 100:2008, 7.2.6).
  public static func quantity(
    _ value: Double, plusMinus uncertainty: Double, _ unit: String
  ) -> String {
    guard value.isFinite, uncertainty.isFinite, uncertainty > 0 else {
      return quantity(value, unit)
    }
    let (factor, prefix) = scale(of: max(abs(value), uncertainty), unit)
    let places = max(0, min(9, 1 - Int(floor(log10(uncertainty / factor)))))
    return "\(fixed(value / factor, places)) \(prefix)\(unit) ± "
      + "\(fixed(uncertainty / factor, places)) \(prefix)\(unit)"
  }

  /// `1.1 % + 1 mA`: a share of the value, and a fixed part.
  public static func limits(_ accuracy: Accuracy, _ unit: String) -> String {
    let share = accuracy.gain > 0 ? ["\((accuracy.gain * 1e6).rounded() / 1e4) %"] : []
    let fixed = accuracy.offset > 0 || share.isEmpty ? [quantity(accuracy.offset, unit)] : []
    return (share + fixed).joined(separator: " + ")
  }

  /// What is known of the time in which nothing was measured: `the rest is interpolated, which may be ...`.
  public static func doubt(_ figure: EnergyFigure) -> String {
    let bound =
      figure.lossBound.map { "at most by \(quantity($0, "J"))" }
      ?? "nobody can say by how much at most"
    let likely = quantity(figure.likelyLost, "J")
    guard figure.suspended > 0 else {
      return
        "the rest is interpolated, which may be wrong by \(likely) where power stayed within what was "
        + "measured (\(bound))"
    }
    // A counter that went on said something.
    let isCounted = figure.losses.spans.contains { $0.kind == .suspend && $0.interpolated > 0 }
    let asleep = quantity(Double(figure.suspended) * 1e-9, "s")
    return "what was used in a suspend of \(asleep) is not known"
      + (isCounted ? "" : " and not in the figure")
      + ", which may be wrong by \(likely) where power was no higher than what was measured (\(bound))"
  }

  /// Four digits.
  public static func plain(_ value: Double) -> String { value == 0 ? "0" : digits(value, 4) }

  /// A share as per cent.
  public static func percent(_ share: Double) -> String {
    share == 1 ? "100 %" : "\(fixed(min(share, 0.999_99) * 100, 3)) %"
  }

  private static func scale(of size: Double, _ unit: String) -> (Double, String) {
    guard !unit.isEmpty, size > 0 else { return (1, "") }
    for (factor, prefix) in [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "u")]
    where size >= factor { return (factor, prefix) }
    return (1e-9, "n")
  }

  private static func digits(_ value: Double, _ count: Int) -> String {
    let size = value == 0 ? 0 : Int(floor(log10(abs(value))))
    return fixed(value, max(0, count - 1 - size))
  }

  private static func fixed(_ value: Double, _ places: Int) -> String {
    String(format: "%.\(places)f", value)
  }
}
