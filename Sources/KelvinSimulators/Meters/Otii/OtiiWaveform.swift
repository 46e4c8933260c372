/// The board behind a simulated Otii: its current is a triangle with a period of a second, 10 mA ± 5 mA, and its
/// first digital input changes each quarter of a second.
package enum OtiiWaveform {
  /// A sample as the server tells it: of single precision, and written with the digits of double precision.
  ///
  /// - Parameters:
  ///   - channel: as the server calls it.
  ///   - index: of the sample in the recording.
  ///   - rate: of the channel, in hertz.
  ///   - volts: at the main output; 0 while that is off.
  package static func value(
    _ channel: String, _ index: Int64, rate: Double, volts: Double
  ) -> Double {
    let seconds = Double(index) / rate
    let phase = seconds - seconds.rounded(.down)
    let triangle = phase < 0.5 ? 4 * phase - 1 : 3 - 4 * phase
    let amperes = volts > 0 ? 0.01 + 0.005 * triangle : 0
    switch channel {
    case "mc": return Double(Float(amperes))
    case "mv": return Double(Float(volts))
    case "mp": return Double(Float(amperes * volts))
    case "tp": return 25
    default: return Double(Float(amperes / 2))
    }
  }

  /// Joules that the board takes in so many whole seconds.
  package static func energy(seconds: Double, volts: Double) -> Double { 0.01 * volts * seconds }

  /// Changes of a digital input up to a time: a quarter of a second each; the second input is the first one's
  /// inverse.
  static func changes(_ channel: String, until seconds: Double) -> [(seconds: Double, isHigh: Bool)]
  {
    (0...Int64((seconds * 4).rounded(.down))).map { number in
      (Double(number) / 4, (number % 2 == 1) != (channel == "i2"))
    }
  }
}
