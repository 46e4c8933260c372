internal import KelvinModel

/// Puts together what a POWER-Z queues: samples with the numbers of a counter of milliseconds.
///
/// That counter starts again each 65.5 s, far more than goes by between two replies; which turn is meant, the host's
/// clock tells. A sample that comes twice is left out. Used by one thread.
struct KM003CStream: Sendable {
  /// What became of samples, in their order.
  enum Part: Sendable, Hashable {
    /// With numbers from `first` on, in steps; of each column its codes.
    case samples(first: Int64, codes: [[Int64]])
    /// Between two samples that are there, so many are not.
    case gap(after: Int64, before: Int64, count: Int64)
  }

  /// Milliseconds from one sample to the next.
  let step: Int64
  private let columns: [(place: Int, sign: Int64)]
  private var last: UInt16?
  /// Of the newest sample, in milliseconds since the first one.
  private(set) var number: Int64 = 0
  private(set) var samples: Int64 = 0
  private(set) var lost: Int64 = 0
  private(set) var repeated: Int64 = 0
  /// Whose numbers are not a whole number of steps after the last one.
  private(set) var uneven: Int64 = 0
  /// Whether the numbers have gone back: nothing more is given out then.
  private(set) var hasGoneBack = false
  private var run: (first: Int64, codes: [[Int64]])

  /// How far a sample may be ahead of the host's clock, in milliseconds: what a meter may have kept.
  private static let slack: Int64 = 5000
  private static let turn: Int64 = 65_536

  /// - Parameter columns: in the order in which they are given out.
  init(_ rate: KM003CRate, columns: [KM003CColumn], isReversed: Bool = false) {
    step = rate.step
    self.columns = columns.map { ($0.rawValue, isReversed && $0 == .current ? -1 : 1) }
    run = (0, columns.map { _ in [] })
  }

  /// Takes the samples of a part of a reply.
  ///
  /// - Parameters:
  ///   - bytes: of the reply.
  ///   - range: of the part, whole samples.
  ///   - elapsed: milliseconds since the reply before, on the host's clock.
  ///   - give: takes what became of them.
  mutating func take(
    _ bytes: RawSpan, _ range: Range<Int>, elapsed: Int64, _ give: (Part) -> Void
  ) {
    var elapsed = elapsed
    for place in stride(from: range.lowerBound, to: range.upperBound, by: KM003CReply.sampleSize) {
      let sample = KM003CSample(bytes, at: place)
      guard advance(to: sample.number, &elapsed, give) else { continue }
      if run.codes.first?.isEmpty ?? true { run.first = number }
      for (column, source) in columns.enumerated() {
        run.codes[column].append(source.sign * Int64(sample.codes[source.place]))
      }
      samples += 1
    }
    flush(give)
  }

  /// - Returns: whether the sample is one of its own.
  private mutating func advance(
    to next: UInt16, _ elapsed: inout Int64, _ give: (Part) -> Void
  ) -> Bool {
    guard !hasGoneBack else { return false }
    guard let last else {
      self.last = next
      return true
    }
    let difference = Int64(next &- last)
    let turns = max(0, (Double(elapsed - difference) / Double(Self.turn)).rounded())
    let ticks = difference + Int64(turns) * Self.turn
    guard ticks > 0 else {
      repeated += 1
      return false
    }
    guard ticks <= max(0, elapsed) + Self.slack else {
      flush(give)
      hasGoneBack = true
      return false
    }
    elapsed -= ticks
    self.last = next
    if ticks == step {
      number += ticks
      return true
    }
    flush(give)
    let missing = (2 * ticks + step) / (2 * step) - 1
    if ticks % step != 0 { uneven += 1 }
    if missing > 0 {
      lost += missing
      give(.gap(after: number, before: number + ticks, count: missing))
    }
    number += ticks
    return true
  }

  private mutating func flush(_ give: (Part) -> Void) {
    guard let count = run.codes.first?.count, count > 0 else { return }
    give(.samples(first: run.first, codes: run.codes))
    for column in run.codes.indices { run.codes[column].removeAll(keepingCapacity: true) }
  }
}
