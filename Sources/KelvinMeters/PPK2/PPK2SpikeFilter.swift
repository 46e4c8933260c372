/// Nordic's filter against the spikes that a PPK2 shows while it changes its range.
///
/// Two running means go along; for three samples from a change of range on, a mean takes the place of the
/// sample. In range 4 that is the slower one, which leaves out the first two samples of the range.
/// Source: pc-nrfconnect-ppk, src/device/serialDevice.ts (getAdcResult).
struct PPK2SpikeFilter: Sendable, Hashable {
  static let fast = 0.18
  static let slow = 0.06
  private static let length = 3

  private var quick = 0.0
  private var calm = 0.0
  /// -1 before the first sample.
  private var range = -1
  private var left = 0
  private var inRange = 0

  /// Begins anew, as at a start of the meter or behind a gap.
  init() {}

  /// - Parameter value: a sample in its range.
  /// - Returns: what stands for it.
  @inline(__always)
  mutating func filter(_ value: Double, range: Int) -> Double {
    if range == self.range, left == 0 {
      quick = Self.fast * value + (1 - Self.fast) * quick
      calm = Self.slow * value + (1 - Self.slow) * calm
      return value
    }
    return atChange(value, range)
  }

  private mutating func atChange(_ value: Double, _ range: Int) -> Double {
    if self.range < 0 {
      (self.range, quick, calm) = (range, value, value)
      return value
    }
    if range != self.range {
      (self.range, left, inRange) = (range, Self.length, 0)
    } else {
      inRange += 1
    }
    left -= 1
    let isSlow = range == 4
    if !isSlow || inRange >= 2 {
      quick = Self.fast * value + (1 - Self.fast) * quick
      calm = Self.slow * value + (1 - Self.slow) * calm
    }
    return isSlow ? calm : quick
  }
}
