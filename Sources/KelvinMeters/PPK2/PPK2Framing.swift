/// How samples of a PPK2 follow each other: by a counter of six bits in each ``PPK2Word``.
package struct PPK2Framing: NumberedFraming {
  package var size: Int { PPK2Word.size }
  package var modulus: UInt32 { PPK2Word.modulus }
  package var first: UInt32? { nil }
  package var needsSuccessor: Bool { false }

  package func number(_ bytes: Span<UInt8>, at place: Int) -> UInt32? {
    guard let word = Self.word(bytes, place), word.isPossible else { return nil }
    return word.counter
  }

  /// The sample at a place; nil where not all of it is there.
  static func word(_ bytes: Span<UInt8>, _ place: Int) -> PPK2Word? {
    guard place >= 0, place + PPK2Word.size <= bytes.count else { return nil }
    return PPK2Word(
      UInt32(bytes[place]) | UInt32(bytes[place + 1]) << 8 | UInt32(bytes[place + 2]) << 16
        | UInt32(bytes[place + 3]) << 24)
  }

  package func follow(
    _ bytes: Span<UInt8>, from place: Int, number: UInt32
  ) -> (place: Int, number: UInt32) {
    let raw = bytes.bytes
    let end = raw.byteCount - PPK2Word.size
    var (place, expected) = (place, number << 18)
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
}

/// What a PPK2 sends while it measures, put together again.
package typealias PPK2Stream = NumberedStream<PPK2Framing>

extension NumberedStream where Framing == PPK2Framing {
  /// Begins with nothing.
  package init() { self.init(PPK2Framing()) }
}
