/// How a PPK2's codes become currents: for each of its five ranges a parabola.
///
/// With x = 4·ADC, r = (x − O)·k/R and k = 1.8/163,840 (the converter's 1.8 V over its gain and its
/// 2¹⁴ steps), the current in amperes is UG·(r·(GS·r + GI) + S·U + I), where U is the supply's voltage.
/// Source: pc-nrfconnect-ppk, src/device/serialDevice.ts (getAdcResult).
package struct PPK2Calibration: Sendable, Hashable {
  /// Of one range.
  struct Range: Sendable, Hashable {
    /// Codes at which no current flows.
    var origin: Double
    /// Amperes a code squared, a code, and at the origin.
    var square: Double
    var slope: Double
    var constant: Double

    /// In amperes; a code is 4·ADC.
    func current(_ code: Double) -> Double {
      let distance = code - origin
      return (square * distance + slope) * distance + constant
    }
  }

  /// Five.
  let ranges: [Range]

  static let rangeCount = 5
  /// Of the shunts, in ohms, where the meter says nothing (pc-nrfconnect-ppk).
  static let resistances = [1031.64, 101.65, 10.15, 0.94, 0.043]
  private static let multiplier = 1.8 / 163_840

  /// In amperes: no code of a sane calibration is beyond it.
  private static let greatest = 1000.0

  /// Takes what a meter says; a value that is missing, or 0 where that makes no sense, is the default.
  /// Nil when it makes currents of no sense.
  ///
  /// - Parameter volts: the supply's.
  package init?(_ metadata: PPK2Metadata?, volts: Double) {
    let ranges = (0..<Self.rangeCount).map { index in
      func number(_ name: String, or fallback: Double) -> Double {
        guard let value = metadata?.numbers["\(name)\(index)"], value != 0 else { return fallback }
        return value
      }
      let resistance = number("R", or: Self.resistances[index])
      let scale = Self.multiplier / resistance
      let user = number("UG", or: 1)
      return Range(
        origin: number("O", or: 0),
        square: user * number("GS", or: 1) * scale * scale,
        slope: user * number("GI", or: 1) * scale,
        constant: user * (number("S", or: 0) * volts + number("I", or: 0)))
    }
    // A parabola's values are within those at its ends and its coefficients' sizes.
    for range in ranges {
      let reach = abs(range.origin) + Double(4 * PPK2Word.greatest)
      let size = abs(range.square) * reach * reach + abs(range.slope) * reach + abs(range.constant)
      guard size.isFinite, size < Self.greatest else { return nil }
    }
    self.ranges = ranges
  }
}
