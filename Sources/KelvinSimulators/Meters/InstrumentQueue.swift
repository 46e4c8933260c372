internal import Glibc

/// What a simulated instrument has to send, and a slow line has not taken yet.
struct InstrumentQueue: Sendable {
  /// What was given to the line, up to `sent`, and what waits for it.
  private var bytes: [UInt8] = []
  private var sent = 0

  /// Beyond it samples are dropped. More than a true instrument keeps, so that a machine that runs both under
  /// load does not lose what it should not.
  static let most = 1 << 20

  /// Bytes that wait.
  var count: Int { bytes.count - sent }
  var isFull: Bool { count >= Self.most }

  static func += (queue: inout InstrumentQueue, more: some Sequence<UInt8>) {
    queue.bytes += more
  }

  /// The lowest byte first.
  mutating func append(_ word: UInt32) {
    withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// What nobody reads is lost.
  mutating func clear() {
    bytes.removeAll(keepingCapacity: true)
    sent = 0
  }

  /// Gives the line what it takes.
  ///
  /// - Parameters:
  ///   - descriptor: that does not block.
  ///   - pieces: bytes of a write at most, of which each write draws how many it has; nil: all there are.
  mutating func flush(
    to descriptor: Int32, pieces: Int?, _ random: inout SeededGenerator
  ) {
    while count > 0 {
      let most = min(count, pieces.map { Int.random(in: 1...$0, using: &random) } ?? .max)
      let taken = bytes[sent...].withUnsafeBytes { write(descriptor, $0.baseAddress, most) }
      guard taken > 0 else { break }
      sent += taken
    }
    // Not at each write: behind a slow line there is a megabyte.
    if count == 0 || sent > Self.most {
      bytes.removeFirst(sent)
      sent = 0
    }
  }
}
