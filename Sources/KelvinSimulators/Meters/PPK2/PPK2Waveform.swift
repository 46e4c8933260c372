internal import Glibc

/// A board that sleeps, works and sends, over and over: its current at each sample of a second, and what a
/// PPK2 sends of it.
package struct PPK2Waveform: Sendable {
  /// Samples of a period: a second's.
  package static let period = 100_000
  /// In amperes, sample by sample.
  package let truth: [Double]
  /// What is sent, without the counter.
  let words: [UInt32]

  /// Of a board that draws such currents, in amperes.
  ///
  /// It sleeps; every tenth of a second it works for 20 ms, with a ripple; in the last of these it sends for
  /// 5 ms. D0 is high while it works, D1 while it sends, D7 in the second half of each second.
  ///
  /// - Parameters:
  ///   - isConnected: otherwise no current flows.
  ///   - seed: of the noise that the converter adds: one step.
  package init(
    _ unit: PPK2Unit, volts: Double, sleep: Double = 2.5e-6, work: Double = 8e-3,
    send: Double = 0.12, isConnected: Bool = true, seed: UInt64 = 1
  ) {
    var truth: [Double] = []
    var words: [UInt32] = []
    truth.reserveCapacity(Self.period)
    words.reserveCapacity(Self.period)
    var random = SeededGenerator(seed: seed)
    for sample in 0..<Self.period {
      let inTenth = sample % 10_000
      let works = inTenth < 2_000
      let sends = sample >= 91_000 && sample < 91_500
      var amperes = works ? work * (1 + 0.2 * sin(2 * .pi * Double(sample) / 125)) : sleep
      if sends { amperes = send }
      if !isConnected { amperes = 0 }
      let range = unit.range(of: amperes)
      let code = unit.code(
        of: amperes, in: range, volts: volts, dither: .random(in: 0..<1, using: &random))
      let inputs: UInt32 = (works ? 1 : 0) | (sends ? 2 : 0) | (sample >= 50_000 ? 0x80 : 0)
      truth.append(amperes)
      words.append(code | UInt32(range) << 14 | inputs << 24)
    }
    self.truth = truth
    self.words = words
  }

  /// What is sent at a sample, with the counter.
  package func word(_ sample: Int64) -> UInt32 {
    words[Int(sample % Int64(Self.period))] | UInt32(truncatingIfNeeded: sample & 63) << 18
  }

  /// The mean current between two samples, in amperes.
  package func mean(from first: Int64, to last: Int64) -> Double {
    var sum = 0.0
    for sample in first...last { sum += truth[Int(sample % Int64(Self.period))] }
    return sum / Double(last - first + 1)
  }
}
