/// What a Monsoon measures of itself in between: each input at zero current, and at a reference.
///
/// The means of the last five of each count (PyMonsoon, Monsoon/calibrationData.py), of which zeros of the
/// converter are none. Used by one thread.
package struct MonsoonCalibration: Sendable {
  static let window = 5

  package enum Kind: Int, Sendable {
    case zero
    case reference
  }

  private struct Ring {
    var values: [Double] = []
    var next = 0

    mutating func put(_ value: Double) {
      if values.count < MonsoonCalibration.window {
        values.append(value)
      } else {
        values[next] = value
        next = (next + 1) % MonsoonCalibration.window
      }
    }

    var mean: Double? {
      values.count == MonsoonCalibration.window
        ? values.reduce(0, +) / Double(MonsoonCalibration.window) : nil
    }
  }

  private var rings = [Ring](repeating: Ring(), count: 2 * MonsoonScales.inputs)

  package init() {}

  /// Takes what an input was converted to.
  package mutating func take(_ kind: Kind, input: Int, _ code: Int32) {
    guard code != 0 else { return }
    rings[kind.rawValue * MonsoonScales.inputs + input].put(Double(code))
  }

  /// How codes of an input become ``MonsoonStream/scale`` units.
  struct Line: Sendable, Hashable {
    var zero = 0.0
    var slope = 0.0
  }

  /// Those of an input; nil before it is calibrated.
  ///
  /// With z the zero and r the reference, a code c is (c − z)/(r − z) of the current at the reference.
  func line(_ input: Int, _ scales: MonsoonScales) -> Line? {
    guard let zero = rings[input].mean, let reference = rings[MonsoonScales.inputs + input].mean
    else { return nil }
    let origin = scales.zeros[input] + zero
    let isFine = input & 1 == 1
    let amperes = scales.references[input] / (reference - origin) / (isFine ? 1e6 : 1e3)
    return Line(zero: origin, slope: amperes / MonsoonStream.scale)
  }
}
