import KelvinModel

/// A meter of voltage and current that errs within what it states, and loses samples. The truth beside it
/// is exact; only what a real meter would say goes to the figures.
struct SimulatedMeter {
  /// In amperes.
  var current: SimulatedWaveform
  /// In volts.
  var voltage = 5.0
  /// In seconds.
  var seconds = 1.0
  var step = 1e-3
  /// The sampling itself, as a share of the step, within ±; the stamps tell of it.
  var jitter = 0.0
  /// Its clock's seconds are longer by this than true ones.
  var skew = 0.0
  var gain = (voltage: 0.0, current: 0.0)
  var offset = (voltage: 0.0, current: 0.0)
  var noise = (voltage: 0.0, current: 0.0)
  /// Volts and amperes a code.
  var code = (voltage: 1e-6, current: 1e-7)
  /// Amperes that it cannot tell from more.
  var top = Double.infinity
  /// The chance that a sample is lost, and how many in a row then.
  var loss = 0.0
  var lossLength = 1
  /// Each value is the mean over this time before its stamp.
  var averaging = 0.0

  struct Capture {
    var times: [Int64] = []
    var voltages: [Int64] = []
    var currents: [Int64] = []
    /// On its own clock.
    var lostTimes: [Int64] = []
    var saturatedTimes: [Int64] = []
  }

  func capture(_ dice: inout Dice) -> Capture {
    var capture = Capture()
    var losing = 0
    for index in 0...Int(seconds / step) {
      // True seconds, and the same on the meter's clock in nanoseconds.
      let t = (Double(index) + dice.within(jitter)) * step
      let stamp = Int64((t / (1 + skew) * 1e9).rounded())
      if losing == 0, dice.unit() < loss { losing = lossLength }
      if losing > 0 {
        losing -= 1
        capture.lostTimes.append(stamp)
        continue
      }
      var amperes =
        averaging > 0
        ? current.integral(from: t - averaging, to: t) / averaging : current.value(at: t)
      amperes = amperes * (1 + gain.current) + offset.current + noise.current * dice.normal()
      if amperes >= top {
        amperes = top
        capture.saturatedTimes.append(stamp)
      }
      let volts = voltage * (1 + gain.voltage) + offset.voltage + noise.voltage * dice.normal()
      capture.times.append(stamp)
      capture.currents.append(Int64((amperes / code.current).rounded()))
      capture.voltages.append(Int64((volts / code.voltage).rounded()))
    }
    return capture
  }

  /// What was used in truth between two times of the meter's clock, in joules.
  func truth(from: Int64, to: Int64) -> Double {
    let rate = (1 + skew) * 1e-9
    return voltage * current.integral(from: Double(from) * rate, to: Double(to) * rate)
  }
}
