/// The parts of a reply with data, which may be several: each begins with a header that says whether another one
/// follows. Who reads the first part alone loses the samples of the others.
///
/// After four bytes (type 0x41, number, two of a length that is not needed), for each part a little-endian word:
/// attribute (15 bits), whether another part follows, chunk (6 bits), size (10 bits). Source:
/// okhsunrog/km003c-protocol-research, docs/protocol_reference.md.
package struct KM003CReply: Sendable, Hashable {
  /// One of its parts.
  package struct Part: Sendable, Hashable {
    /// As in ``KM003CParts``; others are passed over.
    package var attribute: UInt16
    /// Where its data stand in the reply.
    package var range: Range<Int>
  }

  package var parts: [Part] = []

  /// Why a reply is none.
  package enum Mistake: Error, Hashable {
    /// Shorter than it says.
    case truncated
    /// Longer than it says, by so many bytes.
    case tail(Int)
    /// Queued samples of another size than 20 bytes.
    case sampleSize(Int)
  }

  static let headerSize = 4
  /// Of one queued sample.
  package static let sampleSize = 20
  /// Of the values of a moment.
  package static let valuesSize = 44

  /// - Parameter bytes: all of a reply of type 0x41. One of four bytes says that there is nothing.
  package init(_ bytes: Span<UInt8>) throws(Mistake) {
    guard bytes.count != Self.headerSize else { return }
    let walk = try Self.walk(bytes)
    guard walk.isWhole, walk.end <= bytes.count else { throw .truncated }
    guard walk.end == bytes.count else { throw .tail(bytes.count - walk.end) }
    parts = walk.parts
  }

  /// How many bytes a reply has at least, by what there is of it. It is whole when it has that many.
  static func length(_ bytes: Span<UInt8>) throws(Mistake) -> Int {
    guard bytes.count != headerSize else { return headerSize }
    return try walk(bytes).end
  }

  private static func walk(
    _ bytes: Span<UInt8>
  ) throws(Mistake) -> (parts: [Part], end: Int, isWhole: Bool) {
    var parts: [Part] = []
    var place = headerSize
    while true {
      guard place + headerSize <= bytes.count else { return (parts, place + headerSize, false) }
      let word =
        UInt32(bytes[place]) | UInt32(bytes[place + 1]) << 8 | UInt32(bytes[place + 2]) << 16
        | UInt32(bytes[place + 3]) << 24
      place += headerSize
      let attribute = UInt16(word & 0x7fff)
      let (chunk, size) = (Int(word >> 16 & 63), Int(word >> 22))
      // Of the queue, the size is that of one sample, and the chunk their number.
      let isQueue = attribute == KM003CParts.queue.rawValue
      guard !isQueue || chunk == 0 || size == sampleSize else { throw .sampleSize(size) }
      let count = isQueue ? chunk * size : size
      parts.append(Part(attribute: attribute, range: place..<(place + count)))
      place += count
      guard word & 0x8000 != 0 else { return (parts, place, place <= bytes.count) }
    }
  }
}
