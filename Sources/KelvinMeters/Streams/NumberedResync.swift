/// Finds where the samples of a stream go on when a byte, or some samples, are missing.
///
/// The only thing that tells true samples from shifted ones is the number in each: at one of the positions
/// of a byte it goes up by one from sample to sample.
struct NumberedResync<Framing: NumberedFraming> {
  let framing: Framing

  /// So many samples in a row, whose numbers go on, are no accident: 64⁻⁷ by chance where the numbers have
  /// six bits.
  static var enough: Int { 8 }
  /// Samples behind a break that are looked at.
  static var window: Int { 16 }

  /// Bytes behind a break that are needed for a judgment.
  var needed: Int { framing.size * (Self.window + 4) }

  /// Where samples go on from a break on.
  ///
  /// A value that climbs by one from sample to sample looks like a number. Of positions that could all be
  /// right, the one is taken that goes on where the others end, or that alone is near the expected number;
  /// where there is none such, nothing is sure until the value does something else. What climbs so and is
  /// near the number as well is not told from it.
  ///
  /// - Parameters:
  ///   - bytes: of the stream.
  ///   - break: where a sample should begin that is none, or has another number than it should.
  ///   - floor: no byte before this one is looked at: those were given out.
  ///   - expected: the number behind the last one that was right; nil where none is known.
  ///   - passed: samples for which bytes were passed over since.
  /// - Returns: the place of the first sample that is surely one, and how far what stood before the break
  ///   can be believed: samples that overlap with those that follow cannot. Nil when nothing goes on
  ///   within the window, or it is not sure what does.
  func find(
    _ bytes: Span<UInt8>, break start: Int, floor: Int, expected: UInt32?, passed: Int
  ) -> (next: Int, believed: Int)? {
    let runs = (0..<framing.size).compactMap { offset in
      longest(bytes, from: start + offset).flatMap { $0.length >= Self.enough ? $0 : nil }
    }
    guard let place = choose(runs, bytes, expected, passed) else { return nil }
    // Backwards: what fits to those that follow may have been there before the break was noticed.
    var first = place
    while first - framing.size >= floor, follows(bytes, first - framing.size) {
      first -= framing.size
    }
    let isInPhase = (place - start) % framing.size == 0
    guard !isInPhase, first < start else { return (max(first, start), start) }
    // The samples before the break, and those behind it, both seem right where they overlap: neither is
    // believed there.
    let overlap = (start - first + framing.size - 1) / framing.size
    let believed = max(floor, start - overlap * framing.size)
    var next = first
    while next < start { next += framing.size }
    return (next, believed)
  }

  /// By how much a number is ahead of another, going round.
  func ahead(_ number: UInt32, of other: UInt32) -> UInt32 {
    (number &+ framing.modulus &- other % framing.modulus) % framing.modulus
  }

  /// Where the only run begins that can be the right one; nil when several can.
  private func choose(
    _ runs: [(next: Int, length: Int)], _ bytes: Span<UInt8>, _ expected: UInt32?, _ passed: Int
  ) -> Int? {
    guard runs.count > 1 else { return runs.first?.next }
    /// Whether one goes on where the other ends, and was there from its beginning: a loss would end both.
    func outlives(_ run: (next: Int, length: Int), _ other: (next: Int, length: Int)) -> Bool {
      run.next <= other.next + framing.size
        && run.next + (run.length - 2) * framing.size >= other.next + other.length * framing.size
    }
    for run in runs
    where runs.allSatisfy({ $0.next == run.next || outlives(run, $0) }) {
      return run.next
    }
    guard let expected else { return nil }
    let near = runs.filter { run in
      framing.number(bytes, at: run.next).map { isNear($0, expected, passed) } ?? false
    }
    return near.count == 1 ? near[0].next : nil
  }

  /// Whether a number is one that comes next when what was passed over were samples, with a few missing or
  /// strangers among them. It never goes back.
  private func isNear(_ number: UInt32, _ expected: UInt32, _ passed: Int) -> Bool {
    let ahead = Int64(ahead(number, of: expected))
    return abs(ahead - Int64(passed) % Int64(framing.modulus)) <= Self.window
  }

  /// The first run of samples at a position that is long enough, or the longest one in the window.
  private func longest(_ bytes: Span<UInt8>, from start: Int) -> (next: Int, length: Int)? {
    let size = framing.size
    var best: (next: Int, length: Int)?
    var place = start
    while place < start + Self.window * size {
      var length = framing.number(bytes, at: place) == nil ? 0 : 1
      while length > 0, length < needed / size, follows(bytes, place + (length - 1) * size) {
        length += 1
      }
      if length > (best?.length ?? 0) { best = (place, length) }
      if length >= Self.enough { return best }
      place += size * max(1, length)
    }
    return best
  }

  /// Whether the sample at a place is followed by the next one.
  private func follows(_ bytes: Span<UInt8>, _ place: Int) -> Bool {
    guard let this = framing.number(bytes, at: place),
      let next = framing.number(bytes, at: place + framing.size)
    else { return false }
    return next == (this + 1) % framing.modulus
  }
}
