internal import KelvinModel

/// Tells by the clock when a meter has lost samples in a number that their own numbers cannot show: a
/// multiple of the modulus at which those begin again.
///
/// Samples arrive late by chance, but never early. So of each half second the earliest arrival counts,
/// and when those stay behind by a multiple of what the modulus takes (0.64 ms for 64 samples of a PPK2)
/// from one moment on, so many samples are missing. Clocks may differ by ``greatestSkew``. Used by one
/// thread.
struct LossWitness: Sendable {
  struct Finding: Sendable, Hashable {
    /// A multiple of the modulus; negative: what was taken for a loss was a delay.
    var samples: Int64
    /// Times of the meter between which it happened, in nanoseconds.
    var from: Int64
    var to: Int64
  }

  private struct Moment { var meter, late: Int64 }

  private let modulus: Int64
  /// What so many samples take, in nanoseconds.
  private let quantum: Double
  private static let window: Int64 = 500_000_000
  /// Crystals of both sides, with room.
  static let greatestSkew = 100e-6

  private var windowEnd: Int64?
  private var earliest: Moment?
  /// The earliest of the windows since the last finding.
  private var minima: [Moment] = []
  /// A window that is late by a multiple, and waits for the next one to say the same.
  private var suspect: (samples: Int64, from: Int64, moment: Moment)?

  /// - Parameters:
  ///   - modulus: at which the samples' numbers begin again.
  ///   - period: of the samples, in nanoseconds; the modulus takes some tenths of a millisecond at least.
  init(modulus: Int64, period: Double) {
    self.modulus = modulus
    quantum = Double(modulus) * period
  }

  /// Takes when a sample arrived.
  ///
  /// - Parameters:
  ///   - meter: the sample's time by its number, in nanoseconds.
  ///   - host: when it had arrived, on the host's clock.
  mutating func observe(meter: Int64, host: Int64) -> Finding? {
    let moment = Moment(meter: meter, late: host &- meter)
    guard let end = windowEnd else {
      windowEnd = host &+ Self.window
      earliest = moment
      return nil
    }
    guard host >= end else {
      if moment.late < (earliest?.late ?? .max) { earliest = moment }
      return nil
    }
    windowEnd = host &+ Self.window
    defer { earliest = moment }
    return earliest.flatMap { close($0) }
  }

  private mutating func close(_ moment: Moment) -> Finding? {
    guard minima.count >= 2 else {
      minima.append(moment)
      return nil
    }
    let expected = expected(at: moment.meter)
    let behind = (Double(moment.late) - expected) / quantum
    let multiple = behind.rounded()
    guard abs(multiple) >= 1, abs(behind - multiple) < 0.3 else {
      suspect = nil
      // A window that is late by anything else was late by chance.
      if behind < 0.5 { keep(moment) }
      return nil
    }
    let samples = Int64(multiple) * modulus
    guard let before = suspect, before.samples == samples else {
      suspect = (samples, minima.last?.meter ?? 0, moment)
      return nil
    }
    suspect = nil
    // Lost ones are counted, and so from here on the numbers are right again.
    let counted = samples > 0 ? Int64(multiple * quantum) : 0
    minima = [before.moment, moment].map {
      Moment(meter: $0.meter &+ counted, late: $0.late &- counted)
    }
    return Finding(samples: samples, from: before.from, to: before.moment.meter)
  }

  private mutating func keep(_ moment: Moment) {
    minima.append(moment)
    // As many before as behind: the first half is thinned out, so that the line stays long.
    if minima.count > 64 {
      minima = minima.enumerated().filter { $0.offset % 2 == 0 || $0.offset > 32 }.map(\.element)
    }
  }

  /// How late the earliest arrival is to be at a time, by those before.
  private func expected(at meter: Int64) -> Double {
    guard let first = minima.first, let last = minima.last else { return 0 }
    let recent = minima.suffix(4)
    var skew = 0.0
    let early = minima.prefix(4)
    if last.meter - first.meter > 10_000_000_000, let a = early.min(by: { $0.late < $1.late }),
      let b = recent.min(by: { $0.late < $1.late }), b.meter > a.meter
    {
      skew = Double(b.late - a.late) / Double(b.meter - a.meter)
      skew = min(max(skew, -Self.greatestSkew), Self.greatestSkew)
    }
    return recent.map { Double($0.late) + skew * Double(meter - $0.meter) }.min() ?? 0
  }
}
