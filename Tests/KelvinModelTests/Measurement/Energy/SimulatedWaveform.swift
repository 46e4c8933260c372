internal import Glibc

/// Numbers from a seed (SplitMix64); shares nothing with what it is to test.
struct Dice {
  private var state: UInt64

  /// The seed is mixed before it becomes the state: states that differ by a multiple of what each number
  /// adds to them would give the same numbers again, only later, and a thousand runs would be as one.
  init(seed: UInt64) { state = Self.mixed(Self.mixed(seed &+ 0x1234_5678_9ABC_DEF1)) }

  private static func mixed(_ state: UInt64) -> UInt64 {
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  /// Evenly in 0..<1.
  mutating func unit() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Double(Self.mixed(state) >> 11) * 0x1p-53
  }

  mutating func even(_ low: Double, _ high: Double) -> Double { low + (high - low) * unit() }

  /// Evenly within ± a limit, as limits of accuracy are taken (JCGM 100:2008, 4.3.7).
  mutating func within(_ limit: Double) -> Double { even(-limit, limit) }

  /// Of a standard normal distribution (Box and Muller 1958).
  mutating func normal() -> Double {
    let radius = (-2 * log(1 - unit())).squareRoot()
    return radius * cos(2 * .pi * unit())
  }
}

/// A power, or a current, over time in seconds, whose integral is known exactly.
struct SimulatedWaveform {
  var base = 1.0
  var steps: [(at: Double, by: Double)] = []
  var sines: [(amplitude: Double, hertz: Double, phase: Double)] = []
  var bursts: [(from: Double, width: Double, height: Double)] = []

  func value(at t: Double) -> Double {
    var sum = base
    for step in steps where t >= step.at { sum += step.by }
    for burst in bursts where t >= burst.from && t < burst.from + burst.width {
      sum += burst.height
    }
    for sine in sines { sum += sine.amplitude * sin(2 * .pi * sine.hertz * t + sine.phase) }
    return sum
  }

  func integral(from a: Double, to b: Double) -> Double {
    var sum = base * (b - a)
    for step in steps { sum += step.by * max(0, b - max(a, step.at)) }
    for burst in bursts {
      sum += burst.height * max(0, min(b, burst.from + burst.width) - max(a, burst.from))
    }
    for sine in sines {
      let w = 2 * .pi * sine.hertz
      sum += sine.amplitude / w * (cos(w * a + sine.phase) - cos(w * b + sine.phase))
    }
    return sum
  }

  /// Work that comes and goes at times that nobody chose: dwells between two lengths, levels from 0 to
  /// `height` above the base.
  static func random(
    _ dice: inout Dice, seconds: Double, dwell: ClosedRange<Double>, height: Double,
    sines: [(amplitude: Double, hertz: Double)] = [], bursts: Int = 0,
    burst: ClosedRange<Double> = 0.001...0.002
  ) -> SimulatedWaveform {
    var wave = SimulatedWaveform()
    var t = -dice.unit() * dwell.upperBound
    var level = 0.0
    while t < seconds {
      let next = dice.unit() * height
      wave.steps.append((t, next - level))
      level = next
      t += dice.even(dwell.lowerBound, dwell.upperBound)
    }
    for sine in sines {
      wave.sines.append((sine.amplitude, sine.hertz, dice.even(0, 2 * .pi)))
    }
    for _ in 0..<bursts {
      wave.bursts.append(
        (dice.even(0, seconds), dice.even(burst.lowerBound, burst.upperBound), height))
    }
    return wave
  }
}
