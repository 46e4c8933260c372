internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// Reads a console's log from any position, while it is written or long after its owner's death.
///
/// Used by one thread. What was rotated away is skipped and counted.
package final class ConsoleLogReader {
  package let directory: String
  private var current: (start: UInt64, descriptor: Int32)?

  /// Creates a reader; nothing is opened yet.
  package init(directory: String) { self.directory = directory }

  deinit { if let current { close(current.descriptor) } }

  /// A piece of a log.
  package struct Piece: Sendable, Hashable {
    /// The position of the first byte, which is behind the one asked for when bytes are gone.
    package var position: UInt64
    package var bytes: [UInt8]

    package var end: UInt64 { position + UInt64(bytes.count) }
  }

  /// What there is to read now.
  package var extent: (first: UInt64, end: UInt64) {
    let starts = ConsoleLogReader.starts(in: directory)
    guard let first = starts.first, let last = starts.last else { return (0, 0) }
    var status = stat()
    guard stat(ConsoleLogReader.path(directory, last) + ".bytes", &status) == 0 else {
      return (first, last)
    }
    return (first, last + UInt64(max(0, status.st_size)))
  }

  /// At most `limit` bytes from a position on; no bytes: there are none yet.
  package func read(at position: UInt64, limit: Int) -> Piece {
    var position = position
    // A segment may be deleted between its listing and its opening: once more, then.
    for _ in 0..<3 {
      if let current, position >= current.start {
        let bytes = ConsoleLogReader.read(
          current.descriptor, offset: position - current.start, limit: limit)
        if !bytes.isEmpty { return Piece(position: position, bytes: bytes) }
      }
      let starts = ConsoleLogReader.starts(in: directory)
      // Where the present segment ends the next begins; without one there is nothing more.
      let next: UInt64?
      if let current, position >= current.start {
        next = starts.first { $0 > current.start }
        if let next, next > position { position = next }
      } else {
        next = starts.last { $0 <= position } ?? starts.first
        if let next, next > position { position = next }
      }
      guard let next else { break }
      open(segment: next)
    }
    return Piece(position: position, bytes: [])
  }

  private func open(segment start: UInt64) {
    if let current { close(current.descriptor) }
    current = nil
    let descriptor = kelvin_open(
      ConsoleLogReader.path(directory, start) + ".bytes", O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0)
    if descriptor >= 0 { current = (start, descriptor) }
  }

  private static func read(_ descriptor: Int32, offset: UInt64, limit: Int) -> [UInt8] {
    guard let offset = Int64(exactly: offset) else { return [] }
    return [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
      count = 0
      while count < limit {
        let more = pread(
          descriptor, buffer.baseAddress.map { $0 + count }, limit - count, off_t(offset) + count)
        if more < 0, errno == EINTR { continue }
        if more <= 0 { break }
        count += more
      }
    }
  }

  // MARK: Files

  /// A segment's files without their suffixes: the position in 20 digits.
  static func path(_ directory: String, _ start: UInt64) -> String {
    let digits = String(start)
    return directory + "/" + String(repeating: "0", count: 20 - digits.count) + digits
  }

  /// The starts of the segments, in order.
  static func starts(in directory: String) -> [UInt64] {
    SmallFile.names(in: directory).compactMap { name in
      name.hasSuffix(".bytes") && name.utf8.count == 26 ? UInt64(name.dropLast(6)) : nil
    }.sorted()
  }
}
