internal import Glibc

/// A board with three rails: what each draws at each frame of a second, and what an Energy Probe says of it.
///
/// Rail 0, of 5 V, draws 0.2 A, and for 20 ms of each 100 ms 1.2 A with a ripple. Rail 1, of 3.3 V, draws
/// 0.3 A ± 0.1 A as a sine of 40 ms. Rail 2, of 1.8 V, climbs from 0.2 A to 1.199 A in each 100 ms, by 1 mA a
/// frame: over 100 mohm its code goes on by one, as the frames' numbers do.
package struct EnergyProbeWaveform: Sendable {
  /// Frames of a period: a second's.
  package static let period = 10_000
  /// Of the rails, in volts.
  package static let volts = [5.0, 3.3, 1.8]
  /// In milliohms, of each channel.
  package let shunts: [Int]
  /// In amperes, channel by channel and frame by frame.
  package let truth: [[Double]]
  /// What is sent: of each channel power, voltage and current, frame by frame.
  private let codes: [[UInt16]]

  /// - Parameters:
  ///   - shunts: of the three channels, in milliohms.
  ///   - seed: of the noise that the converter adds: one step.
  package init(shunts: [Int] = [20, 50, 100], seed: UInt64 = 1) {
    precondition(shunts.count == 3)
    self.shunts = shunts
    var random = SeededGenerator(seed: seed)
    /// A value in thousandths, in steps of the converter: on average what it is.
    func code(_ thousandths: Double, _ step: Double) -> UInt16 {
      let steps = (thousandths / step + .random(in: 0..<1, using: &random)).rounded(.down)
      return UInt16(min(max(steps, 0), 65_535))
    }
    var truth: [[Double]] = []
    var codes: [[UInt16]] = []
    for channel in 0..<3 {
      let amperes = (0..<Self.period).map { Self.current(channel, $0) }
      let step = 100 / Double(shunts[channel])
      let volts = Self.volts[channel]
      codes.append(amperes.map { code(volts * $0 * 1000, step) })
      codes.append(amperes.map { _ in UInt16((volts * 1000).rounded()) })
      // Whole steps stay what they are.
      codes.append(amperes.map { code(($0 * 1e6).rounded() / 1000, step) })
      truth.append(amperes)
    }
    self.truth = truth
    self.codes = codes
  }

  /// What a rail draws at a frame, in amperes.
  private static func current(_ channel: Int, _ frame: Int) -> Double {
    switch channel {
    case 0:
      frame % 1000 < 200 ? 1.2 * (1 + 0.2 * sin(2 * .pi * Double(frame) / 40)) : 0.2
    case 1: 0.3 + 0.1 * sin(2 * .pi * Double(frame) / 400)
    default: Double(200 + frame % 1000) / 1000
    }
  }

  /// What is sent of a field: 0 for power, 1 for voltage, 2 for current.
  package func code(_ channel: Int, _ field: Int, at frame: Int64) -> UInt16 {
    codes[channel * 3 + field][Int(frame % Int64(Self.period))]
  }

  /// A frame as it is sent.
  ///
  /// - Parameters:
  ///   - number: of the frame since it was started.
  ///   - masks: what is enabled of each channel: 1 for power, 2 for voltage, 4 for current.
  package func frame(_ frame: Int64, number: Int64, masks: [UInt8]) -> [UInt8] {
    var bytes = [
      UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)
    ]
    for channel in 0..<3 {
      for field in 0..<3 where masks[channel] >> UInt8(field) & 1 == 1 {
        let code = code(channel, field, at: frame)
        bytes.append(UInt8(code & 0xff))
        bytes.append(UInt8(code >> 8))
      }
    }
    return bytes
  }

  /// The energy that a rail took between two frames, each of which stands for a tenth of a millisecond, in
  /// joules.
  package func energy(_ channel: Int, from first: Int64, to last: Int64) -> Double {
    var sum = 0.0
    for frame in first...last { sum += truth[channel][Int(frame % Int64(Self.period))] }
    return sum * Self.volts[channel] * 1e-4
  }
}
