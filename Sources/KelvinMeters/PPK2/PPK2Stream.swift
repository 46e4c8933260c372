internal import KelvinModel

/// What a PPK2 sends while it measures, put together again: samples with their numbers, and what is
/// missing. Used by one thread.
///
/// Samples are given out ``PPK2Resync/window`` later than they came: so whatever stood before a break,
/// and may be part of it, can still be left out.
package struct PPK2Stream {
  private var buffer: [UInt8] = []
  /// The next sample that is to be given out.
  private var head = 0
  /// Up to here samples follow one another.
  private var verified = 0
  /// The counter of the sample at ``verified``.
  private var counter: UInt32 = 0
  private var isSynced = false
  /// The number of the sample at ``head``: those that are lost count.
  private(set) var number: Int64 = 0
  /// Of samples: lost by the counter, or thrown away.
  private(set) var lost: Int64 = 0
  /// Bytes that were passed over before the first sample.
  private(set) var stale = 0
  /// Bytes without a sample since the last good one.
  private(set) var unreadable = 0

  /// What comes out, in order.
  package enum Part {
    /// Samples, four bytes each, of which the first has this number.
    case samples(first: Int64, Range<Int>)
    /// Between the samples of these numbers so many are missing: by the counter, which cannot tell a multiple
    /// of 64 more, and the two beside the break, which came and may be of two halves.
    case gap(after: Int64, before: Int64, count: Int64, bytes: Int)
  }

  /// Begins with nothing.
  package init() {}

  /// Takes what came, and gives out what is sure.
  ///
  /// - Parameters:
  ///   - isLast: nothing more will come: what is held back is given out.
  ///   - give: is called for each part; ranges are places of the bytes that it gets.
  package mutating func take(
    _ bytes: Span<UInt8>, isLast: Bool = false, give: (Part, Span<UInt8>) -> Void
  ) {
    bytes.withUnsafeBufferPointer { buffer.append(contentsOf: $0) }
    while true {
      if isSynced {
        (verified, counter) = Self.follow(buffer.span, from: verified, counter: counter)
      }
      let rest = buffer.count - verified
      // Less than a sample, or all that is there is in order.
      guard rest >= PPK2Word.size else { break }
      guard isLast || rest >= PPK2Resync.needed else { break }
      guard resume(isLast, give) else { break }
    }
    let held = isLast ? 0 : PPK2Resync.window * PPK2Word.size
    giveOut(upTo: max(head, verified - held), give)
    discard()
  }

  /// How far samples follow one another.
  ///
  /// - Parameter counter: that of the sample at a place.
  /// - Returns: where the first one begins that does not, or that is not there as a whole, and the counter
  ///   that it should have.
  private static func follow(
    _ bytes: Span<UInt8>, from place: Int, counter: UInt32
  ) -> (place: Int, counter: UInt32) {
    let raw = bytes.bytes
    let end = raw.byteCount - PPK2Word.size
    var (place, expected) = (place, counter << 18)
    while place <= end {
      // Within the bytes: the loop's condition, and a place is never negative.
      let word = UInt32(
        littleEndian: raw.unsafeLoadUnaligned(fromUncheckedByteOffset: place, as: UInt32.self))
      // The counter and the bit that is 0; of ranges 5 to 7 the highest bit and one of the others.
      guard word & 0xfe_0000 == expected, word & 0x1_0000 == 0 || word & 0xc000 == 0 else { break }
      expected = (expected &+ 0x4_0000) & 0xfc_0000
      place &+= PPK2Word.size
    }
    return (place, expected >> 18)
  }

  /// Finds where samples go on behind a break. False when it takes more bytes to tell.
  private mutating func resume(_ isLast: Bool, _ give: (Part, Span<UInt8>) -> Void) -> Bool {
    guard var found = PPK2Resync.find(buffer.span, break: verified, floor: head) else {
      // Nothing in the window: the first half of it is no sample at all.
      let passed = min(PPK2Resync.window / 2 * PPK2Word.size, buffer.count - verified)
      if isSynced {
        giveOut(upTo: verified - PPK2Word.size, give)
        unreadable = verified - head
        isSynced = false
      }
      unreadable += passed
      head = verified + passed
      verified = head
      return true
    }
    if number == 0, !isSynced, lastCounter == nil {
      stale = unreadable + found.next - verified
    } else {
      // A byte lost here and three lost there leave a sample of two halves, whose counter is right: those at
      // the ends of a break are never believed.
      if isSynced { giveOut(upTo: found.believed - PPK2Word.size, give) }
      let before = isSynced ? (found.believed - head) / PPK2Word.size : 0
      let expected = (lastCounter ?? 0) &+ 1 &+ UInt32(before)
      let next = PPK2Resync.word(buffer.span, found.next)?.counter ?? 0
      var missing = Int64(before + 1) + Int64((next &- expected) & 63)
      found.next += PPK2Word.size
      let passed = Int64(unreadable + found.next - head) / Int64(PPK2Word.size)
      if passed > missing + 32 { missing += (passed - missing + 32) / 64 * 64 }
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
    counter = PPK2Resync.word(buffer.span, found.next)?.counter ?? 0
    isSynced = true
    return true
  }

  /// The counter of the sample before ``head``; nil before the first.
  private var lastCounter: UInt32?

  private mutating func giveOut(upTo end: Int, _ give: (Part, Span<UInt8>) -> Void) {
    let count = (end - head) / PPK2Word.size
    guard count > 0, isSynced else { return }
    let range = head..<head + count * PPK2Word.size
    lastCounter = PPK2Resync.word(buffer.span, range.upperBound - PPK2Word.size)?.counter
    give(.samples(first: number, range), buffer.span)
    number += Int64(count)
    head = range.upperBound
  }

  /// The number of the newest sample that has come, whether it was given out or not.
  var newest: Int64 { number + Int64((verified - head) / PPK2Word.size) - 1 }

  /// Counts samples that were lost, though the counter could not show it, and whose numbers are passed
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
