/// What a meter sends while it measures, put together again: samples with their numbers, and what is
/// missing. Used by one thread.
///
/// Samples are given out ``NumberedResync/window`` later than they came: so whatever stood before a break,
/// and may be part of it, can still be left out.
package struct NumberedStream<Framing: NumberedFraming> {
  /// How samples are told apart.
  package let framing: Framing
  private let resync: NumberedResync<Framing>
  private var buffer: [UInt8] = []
  /// The next sample that is to be given out.
  private var head = 0
  /// Up to here samples follow one another.
  private var verified = 0
  /// What the sample at ``verified`` should be called.
  private var expected: UInt32 = 0
  private var isSynced = false
  /// What the sample before ``head`` is called; nil before the first.
  private var last: UInt32?
  /// The number of the sample at ``head``: those that are lost count.
  private(set) var number: Int64 = 0
  /// Of samples: lost by their numbers, or thrown away.
  private(set) var lost: Int64 = 0
  /// Bytes that were passed over before the first sample.
  private(set) var stale = 0
  /// Bytes without a sample since the last good one.
  private(set) var unreadable = 0

  /// What comes out, in order.
  package enum Part {
    /// Samples, whole ones, of which the first has this number.
    case samples(first: Int64, Range<Int>)
    /// Between the samples of these numbers so many are missing: by what they are called, which cannot tell a
    /// multiple of the modulus more, and the two beside the break, which came and may be of two halves.
    case gap(after: Int64, before: Int64, count: Int64, bytes: Int)
  }

  /// Begins with nothing.
  package init(_ framing: Framing) {
    self.framing = framing
    resync = NumberedResync(framing: framing)
  }

  /// Takes what came, and gives out what is sure.
  ///
  /// - Parameters:
  ///   - isLast: nothing more will come: what is held back is given out.
  ///   - give: is called for each part; ranges are places of the bytes that it gets.
  package mutating func take(
    _ bytes: Span<UInt8>, isLast: Bool = false, give: (Part, Span<UInt8>) -> Void
  ) {
    bytes.withUnsafeBufferPointer { buffer.append(contentsOf: $0) }
    let size = framing.size
    while true {
      if isSynced {
        (verified, expected) = framing.follow(buffer.span, from: verified, number: expected)
      }
      let rest = buffer.count - verified
      // Less than a sample, or all that is there is in order.
      guard rest >= size else { break }
      guard isLast || rest >= resync.needed else { break }
      guard resume(isLast, give) else { break }
    }
    let held =
      isLast ? (framing.needsSuccessor ? size : 0) : NumberedResync<Framing>.window * size
    giveOut(upTo: max(head, verified - held), give)
    discard()
  }

  /// Finds where samples go on behind a break. False when it takes more bytes to tell.
  private mutating func resume(_ isLast: Bool, _ give: (Part, Span<UInt8>) -> Void) -> Bool {
    let size = framing.size
    let wanted = isSynced ? expected : last.map { following($0, by: 1) } ?? framing.first
    guard
      var found = resync.find(
        buffer.span, break: verified, floor: head, expected: wanted, passed: unreadable / size)
    else {
      // Nothing in the window: the first half of it is no sample at all.
      let passed = min(NumberedResync<Framing>.window / 2 * size, buffer.count - verified)
      if isSynced {
        giveOut(upTo: verified - size, give)
        unreadable = verified - head
        isSynced = false
      }
      unreadable += passed
      head = verified + passed
      verified = head
      return true
    }
    if number == 0, !isSynced, last == nil {
      stale = unreadable + found.next - verified
    } else {
      // A byte lost here and three lost there leave a sample of two halves, whose number is right: those at
      // the ends of a break are never believed.
      if isSynced { giveOut(upTo: found.believed - size, give) }
      let before = isSynced ? (found.believed - head) / size : 0
      let missing = missing(before: before, at: found.next)
      found.next += size
      give(
        .gap(
          after: number - 1, before: number + missing, count: missing,
          bytes: unreadable + found.next - head), buffer.span)
      number += missing
      lost += missing
    }
    unreadable = 0
    head = found.next
    verified = found.next
    // Whole ones follow: what was found is several long.
    expected = framing.number(buffer.span, at: found.next) ?? 0
    last = (expected &+ framing.modulus &- 1) % framing.modulus
    isSynced = true
    return true
  }

  /// How many samples are missing from ``head`` on, the one at a place included.
  ///
  /// - Parameter before: whole ones that came, and are not believed.
  private func missing(before: Int, at place: Int) -> Int64 {
    let modulus = Int64(framing.modulus)
    let next = framing.number(buffer.span, at: place) ?? 0
    let wanted = following(last ?? 0, by: before + 1)
    var missing = Int64(before + 1) + Int64(resync.ahead(next, of: wanted))
    // Bytes that came were samples once: they tell of whole rounds of the number.
    let passed = Int64(unreadable + place + framing.size - head) / Int64(framing.size)
    if passed > missing + modulus / 2 {
      missing += (passed - missing + modulus / 2) / modulus * modulus
    }
    return missing
  }

  /// What the sample is called that is so many behind another.
  private func following(_ number: UInt32, by count: Int) -> UInt32 {
    (number &+ UInt32(count)) % framing.modulus
  }

  private mutating func giveOut(upTo end: Int, _ give: (Part, Span<UInt8>) -> Void) {
    let count = (end - head) / framing.size
    guard count > 0, isSynced else { return }
    let range = head..<head + count * framing.size
    last = framing.number(buffer.span, at: range.upperBound - framing.size)
    give(.samples(first: number, range), buffer.span)
    number += Int64(count)
    head = range.upperBound
  }

  /// The number of the newest sample that has come, whether it was given out or not.
  var newest: Int64 { number + Int64((verified - head) / framing.size) - 1 }

  /// Counts samples that were lost, though their numbers could not show it, and whose numbers are passed
  /// over; or takes back, by a negative number, that they were lost.
  mutating func count(_ samples: Int64) {
    lost += samples
    number += max(0, samples)
  }

  private mutating func discard() {
    guard head > 0 else { return }
    buffer.removeFirst(head)
    verified -= head
    head = 0
  }
}
