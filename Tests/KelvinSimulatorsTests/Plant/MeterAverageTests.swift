import KelvinSimulators
import Testing

/// The guest's power meter, which averages over a second.
@Suite struct MeterAverageTests {
  private static let second: Int64 = 1_000_000_000

  @Test func isTheMeanOfTheLastSecond() {
    var average = MeterAverage()
    #expect(average.power(at: 0, energy: 100) == nil)
    // Of what there is so far.
    #expect(average.power(at: Self.second / 2, energy: 101) == 2)
    #expect(average.power(at: Self.second, energy: 104) == 4)
    // From 0.5 to 1.5 s: 3 J of the first second's last half, then 5 J.
    #expect(average.power(at: Self.second * 3 / 2, energy: 109) == 8)
    // A second that begins between two calls: 0.4 s of a step of 10 W, then 0.6 s of 0 W.
    #expect(abs((average.power(at: Self.second * 21 / 10, energy: 109) ?? 0) - 4) < 1e-9)
  }

  /// Whatever the steps, the means of seconds that touch each other add up to the energy.
  @Test(arguments: [1_000_000, 7_000_000, 50_000_000, 333_333_333] as [Int64])
  func losesNothing(step: Int64) {
    var average = MeterAverage()
    var energy = 0.0
    var (time, sum, next) = (Int64(0), 0.0, Self.second)
    _ = average.power(at: 0, energy: 0)
    while time < 60 * Self.second {
      let now = min(time + step, next)
      energy += Double((now / 100_000_000) % 7) * Double(now - time) * 1e-9
      time = now
      guard let power = average.power(at: now, energy: energy) else { continue }
      if now == next {
        sum += power
        next += Self.second
      }
    }
    #expect(abs(sum - energy) < 1e-6 * energy)
  }
}
