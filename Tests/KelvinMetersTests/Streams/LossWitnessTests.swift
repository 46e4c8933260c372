import KelvinSimulators
import Testing

@testable import KelvinMeters

/// The clock as a witness of losses that the counter cannot show.
struct LossWitnessTests {
  /// Arrivals each 3 ms, late by chance; at some moments samples go missing.
  static func findings(
    seconds: Double, skew: Double, lateness: Double, losses: [(at: Double, samples: Int64)] = [],
    modulus: Int64 = 64, period: Double = 1e4, seed: UInt64
  ) -> [LossWitness.Finding] {
    var random = SeededGenerator(seed: seed)
    var witness = LossWitness(modulus: modulus, period: period)
    var found: [LossWitness.Finding] = []
    var (missing, counted): (Int64, Int64) = (0, 0)
    var losses = losses[...]
    var time = 0.0
    while time < seconds {
      time += 0.003
      if let next = losses.first, time >= next.at {
        missing += next.samples
        losses.removeFirst()
      }
      // The meter's own clock runs by its own rate, and its numbers lag by what was lost.
      let number = Int64(time * (1 + skew) * 1e9 / period) - missing + counted
      // Mostly in time, seldom very late.
      let late = random.chance(0.3) ? Double.random(in: 0...lateness, using: &random) : 1e-4
      let host = Int64((time + late) * 1e9)
      if let finding = witness.observe(meter: Int64(Double(number) * period), host: host) {
        found.append(finding)
        if finding.samples > 0 { counted += finding.samples }
      }
    }
    return found
  }

  @Test func saysNothingWhenNothingIsLost() {
    for seed in UInt64(1)...10 {
      for skew in [-60e-6, 0, 20e-6, 60e-6] {
        let found = Self.findings(seconds: 60, skew: skew, lateness: 0.02, seed: seed)
        #expect(found.isEmpty, "seed \(seed), skew \(skew)")
      }
    }
  }

  @Test(arguments: [64, 128, 640, 64_000] as [Int64])
  func findsMultiplesOf64(samples: Int64) throws {
    for seed in UInt64(1)...5 {
      for skew in [-50e-6, 0, 50e-6] {
        let found = Self.findings(
          seconds: 40, skew: skew, lateness: 0.01, losses: [(17.3, samples)], seed: seed)
        let first = try #require(found.first, "seed \(seed), skew \(skew)")
        #expect(found.count == 1 && first.samples == samples, "seed \(seed), skew \(skew)")
        // It knows when, to a second or two.
        #expect(first.from > 15_000_000_000 && first.from <= 17_400_000_000)
        #expect(first.to > 16_000_000_000 && first.to < 19_000_000_000)
      }
    }
  }

  /// Of a meter whose numbers come round in 6.5 s.
  @Test(arguments: [65_536, 131_072] as [Int64])
  func findsRoundsOfSixteenBits(samples: Int64) {
    for seed in UInt64(1)...5 {
      let found = Self.findings(
        seconds: 40, skew: 50e-6, lateness: 0.2, losses: [(17.3, samples)], modulus: 65_536,
        period: 1e5, seed: seed)
      #expect(found.map(\.samples) == [samples], "seed \(seed)")
      let none = Self.findings(
        seconds: 40, skew: -50e-6, lateness: 1, modulus: 65_536, period: 1e5, seed: seed)
      #expect(none.isEmpty, "seed \(seed)")
    }
  }

  @Test func findsOneAfterTheOther() {
    let found = Self.findings(
      seconds: 60, skew: 10e-6, lateness: 0.005, losses: [(10, 64), (20, 128), (40, 64)], seed: 4)
    #expect(found.map(\.samples) == [64, 128, 64])
  }

  @Test func delaysOfAMomentAreNoLoss() {
    // A host that is busy for less than a second.
    var witness = LossWitness(modulus: 64, period: 1e4)
    for step in 0..<10_000 {
      let time = Double(step) * 0.003
      let late = time > 10 && time < 10.7 ? 0.00064 : 1e-5
      let finding = witness.observe(
        meter: Int64(time * 1e9), host: Int64((time + late) * 1e9))
      #expect(finding == nil)
    }
  }
}
