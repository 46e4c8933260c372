/// What a power meter says that averages: the mean power of the time before, as the guest's own meter states of
/// itself (`power1_average_interval`, hardware/virtual-bench/acpi/bench.dsl: 1 s).
public struct MeterAverage: Sendable {
  private let interval: Int64
  /// Times and the energy until then, over the interval and the step before it; ascending.
  private var steps: [(time: Int64, energy: Double)] = []

  /// - Parameter interval: nanoseconds.
  public init(interval: Int64 = 1_000_000_000) { self.interval = max(1, interval) }

  /// The mean power in watts over the interval that ends now, or since the first call.
  ///
  /// - Parameters:
  ///   - now: nanoseconds, never before what was said last.
  ///   - energy: joules until now, from whenever.
  public mutating func power(at now: Int64, energy: Double) -> Double? {
    steps.append((now, energy))
    let begin = now - interval
    while steps.count > 2, steps[1].time <= begin { steps.removeFirst() }
    let (first, second) = (steps[0], steps[min(1, steps.count - 1)])
    guard first.time < now else { return nil }
    guard first.time < begin else {
      return (energy - first.energy) / Double(now - first.time) * 1e9
    }
    // Between two steps the energy grew evenly.
    let share = Double(begin - first.time) / Double(second.time - first.time)
    let start = first.energy + share * (second.energy - first.energy)
    return (energy - start) / Double(interval) * 1e9
  }
}
