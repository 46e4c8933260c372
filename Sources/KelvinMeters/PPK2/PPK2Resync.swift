/// Finds where the samples of a PPK2 go on when a byte, or some samples, are missing.
///
/// The only thing that tells true samples from shifted ones is the counter in each: at one of the four
/// positions of a byte it goes up by one from sample to sample.
enum PPK2Resync {
  /// So many samples in a row, whose counters go on, are no accident: 64⁻⁷ by chance.
  static let enough = 8
  /// Samples behind a break that are looked at.
  static let window = 16

  /// Bytes behind a break that are needed for a judgment.
  static let needed = PPK2Word.size * (window + 4)

  /// Where samples go on from a break on.
  ///
  /// - Parameters:
  ///   - bytes: of the stream.
  ///   - break: where a sample should begin that is none, or has another counter than it should.
  ///   - floor: no byte before this one is looked at: those were given out.
  /// - Returns: the place of the first sample that is surely one, and how far what stood before the break
  ///   can be believed: samples that overlap with those that follow cannot. Nil when nothing goes on
  ///   within the window.
  static func find(
    _ bytes: Span<UInt8>, break start: Int, floor: Int
  ) -> (next: Int, believed: Int)? {
    var best: (next: Int, length: Int)?
    // In phase first: of equals the first one wins.
    for offset in [0, 1, 2, 3] {
      guard let found = longest(bytes, from: start + offset) else { continue }
      if found.length > (best?.length ?? 0) { best = found }
    }
    guard let best, best.length >= enough else { return nil }
    // Backwards: what fits to those that follow may have been there before the break was noticed.
    var first = best.next
    while first - PPK2Word.size >= floor, follows(bytes, first - PPK2Word.size) {
      first -= PPK2Word.size
    }
    let isInPhase = (best.next - start) % PPK2Word.size == 0
    guard !isInPhase, first < start else { return (max(first, start), start) }
    // The samples before the break, and those behind it, both seem right where they overlap: neither is
    // believed there.
    let overlap = (start - first + PPK2Word.size - 1) / PPK2Word.size
    let believed = max(floor, start - overlap * PPK2Word.size)
    var next = first
    while next < start { next += PPK2Word.size }
    return (next, believed)
  }

  /// The first run of samples at a position that is long enough, or the longest one in the window.
  private static func longest(_ bytes: Span<UInt8>, from start: Int) -> (next: Int, length: Int)? {
    var best: (next: Int, length: Int)?
    var place = start
    while place < start + window * PPK2Word.size {
      var length = word(bytes, place)?.isPossible == true ? 1 : 0
      while length > 0, length < window,
        follows(bytes, place + (length - 1) * PPK2Word.size)
      {
        length += 1
      }
      if length > (best?.length ?? 0) { best = (place, length) }
      if length >= enough { return best }
      place += PPK2Word.size * max(1, length)
    }
    return best
  }

  /// Whether the sample at a place is followed by the next one.
  private static func follows(_ bytes: Span<UInt8>, _ place: Int) -> Bool {
    guard let this = word(bytes, place), let next = word(bytes, place + PPK2Word.size) else {
      return false
    }
    return this.isPossible && next.isPossible
      && next.counter == (this.counter + 1) % PPK2Word.modulus
  }

  static func word(_ bytes: Span<UInt8>, _ place: Int) -> PPK2Word? {
    guard place >= 0, place + PPK2Word.size <= bytes.count else { return nil }
    return PPK2Word(
      UInt32(bytes[place]) | UInt32(bytes[place + 1]) << 8 | UInt32(bytes[place + 2]) << 16
        | UInt32(bytes[place + 3]) << 24)
  }
}
