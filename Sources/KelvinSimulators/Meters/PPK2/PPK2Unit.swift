/// One PPK2, with a calibration of its own: what it says of itself, and what it sends of a current.
///
/// Source: pc-nrfconnect-ppk, src/device/serialDevice.ts (the names, and how they make a current of a code).
package struct PPK2Unit: Sendable, Hashable {
  /// Of its shunts, in ohms.
  package var resistance = [1031.64, 101.65, 10.15, 0.94, 0.043]
  package var gainSquared = [1.0, 1, 1, 1, 1]
  package var gain = [1.0, 1, 1, 1, 1]
  package var offset = [0.0, 0, 0, 0, 0]
  package var supplyGain = [0.0, 0, 0, 0, 0]
  package var current = [0.0, 0, 0, 0, 0]
  package var userGain = [1.0, 1, 1, 1, 1]
  /// By how much what it says of its gain is wrong, range by range.
  package var error = [0.0, 0, 0, 0, 0]
  package var hardware = 9173

  /// As Nordic's application takes one for that says nothing.
  package init() {}

  /// One as the factory calibrates them, drawn from a seed.
  ///
  /// - Parameter error: how far its gains may be off, relative.
  package init(seed: UInt64, error: Double = 0) {
    var random = SeededGenerator(seed: seed)
    func around(_ value: Double, _ spread: Double) -> Double {
      value * (1 + spread * Double.random(in: -1...1, using: &random))
    }
    for range in 0..<5 {
      resistance[range] = around(resistance[range], 0.02)
      gain[range] = around(1, 0.03)
      gainSquared[range] = around(1, 0.05)
      offset[range] = Double.random(in: 50...200, using: &random).rounded()
      supplyGain[range] =
        [1e-9, 1e-9, 1e-8, 1e-8, 1e-7][range] * .random(in: -1...1, using: &random)
      current[range] = [1e-8, 1e-8, 1e-7, 1e-6, 1e-4][range] * .random(in: -1...1, using: &random)
      self.error[range] = error * .random(in: -1...1, using: &random)
    }
  }

  /// The text that answers the question for metadata.
  ///
  /// - Parameter mode: 1 for ampere, 2 for source.
  package func metadata(millivolts: Int, mode: Int, faults: PPK2Faults) -> String {
    var lines = ["Calibrated: \(faults.metadata == .uncalibrated ? 0 : 1)"]
    for (name, values) in [
      ("R", resistance), ("GS", gainSquared), ("GI", gain), ("O", offset), ("S", supplyGain),
      ("I", current), ("UG", userGain)
    ] {
      for (range, value) in values.enumerated() {
        if faults.metadata == .missing, name == "GI" || name == "O" { continue }
        let isLost = faults.metadata == .notANumber && name != "R" && range == 2
        lines.append("\(name)\(range): " + (isLost ? "-nan" : "\(value)"))
      }
      if name == "O" {
        lines += ["VDD: \(millivolts)", "HW: \(hardware)", "mode: \(mode)"]
      }
    }
    lines.append("IA: 56")
    return lines.joined(separator: "\n") + (faults.metadata == .endless ? "\n" : "\nEND\n")
  }

  /// The range that a current is measured in: below each its own share of the converter.
  package func range(of amperes: Double) -> Int {
    let limits = [60e-6, 600e-6, 6e-3, 70e-3]
    return limits.firstIndex { amperes < $0 } ?? 4
  }

  /// What its converter says of a current: the code that its own formula makes that current of.
  ///
  /// - Parameters:
  ///   - dither: 0 to 1, of a step: 0.5 rounds.
  ///   - volts: the supply's.
  package func code(
    of amperes: Double, in range: Int, volts: Double, dither: Double
  ) -> UInt32 {
    let plain =
      amperes * (1 + error[range]) / userGain[range] - supplyGain[range] * volts - current[range]
    // GS·r² + GI·r = plain
    let square = gainSquared[range]
    let linear = gain[range]
    let root = (linear * linear + 4 * square * plain).squareRoot()
    let r = square == 0 ? plain / linear : (root - linear) / (2 * square)
    let steps = (r * resistance[range] * 163_840 / 1.8 + offset[range]) / 4
    guard steps.isFinite else { return 0 }
    return UInt32(min(max((steps - 0.5 + dither).rounded(.toNearestOrAwayFromZero), 0), 16_383))
  }
}
