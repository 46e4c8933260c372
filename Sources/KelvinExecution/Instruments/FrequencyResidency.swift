/// stats/time_in_state of a cpufreq policy: how long its CPUs ran at each frequency
/// (Documentation/cpu-freq/cpufreq-stats.rst). Lines are kHz and time in ticks of 10 ms.
struct FrequencyResidency: Hashable {
  /// Ticks by kHz.
  var ticks: [UInt64: UInt64] = [:]

  /// Reads what is well-formed and leaves out the rest.
  init(_ text: KernelText) {
    for line in text where ticks.count < 4096 {
      var fields = KernelText.Fields(line)
      guard let frequency = fields.next(), let time = fields.next(),
        let kilohertz: UInt64 = KernelText.integer(frequency),
        let ticks: UInt64 = KernelText.integer(time)
      else { continue }
      self.ticks[kilohertz] = ticks
    }
  }

  init(ticks: [UInt64: UInt64]) { self.ticks = ticks }

  /// What one window spent at each frequency.
  struct Window: Hashable {
    /// Percent of the window by kHz; frequencies that were not used are left out.
    var shares: [UInt64: Double]
    /// In Hz, weighted by time.
    var meanHertz: Double
  }

  /// Compares two readings; nil when no tick passed, or when the table was reset in between.
  func window(to after: FrequencyResidency) -> Window? {
    var steps: [UInt64: Double] = [:]
    for (kilohertz, end) in after.ticks {
      guard let step = CounterStep(from: ticks[kilohertz] ?? 0, to: end, bits: 64).value else {
        return nil
      }
      if step > 0 { steps[kilohertz] = Double(step) }
    }
    let total = steps.values.reduce(0, +)
    guard total > 0 else { return nil }
    let mean = steps.reduce(0) { $0 + Double($1.key) * 1000 * ($1.value / total) }
    return Window(shares: steps.mapValues { 100 * $0 / total }, meanHertz: mean)
  }

  /// `1800 MHz`, `2593.906 MHz`.
  static func text(kilohertz: UInt64) -> String {
    kilohertz % 1000 == 0 ? "\(kilohertz / 1000) MHz" : "\(Double(kilohertz) / 1000) MHz"
  }
}
