internal import Glibc

/// What passes through a simulated tester: 0.5 A ± 0.3 A as a sine of 2 s, from a supply of 5.1 V behind 50 mohm.
package struct TesterWaveform: Sendable, Hashable {
  /// Of the sine, in nanoseconds.
  package static let period: Int64 = 2_000_000_000
  /// On average, in watts.
  package static let watts = 5.1 * 0.5 - 0.05 * (0.25 + 0.045)

  package init() {}

  /// - Parameter time: since it began, in nanoseconds.
  package func truth(at time: Int64) -> TesterTruth {
    let phase = Double(time % Self.period) / Double(Self.period)
    let amperes = 0.5 + 0.3 * sin(2 * .pi * phase)
    return TesterTruth(
      volts: 5.1 - 0.05 * amperes, amperes: amperes, plus: 0.61, minus: 0.58, celsius: 31)
  }
}
