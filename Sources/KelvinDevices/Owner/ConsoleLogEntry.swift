internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// A line of a log's index: when a chunk came, or what happened.
package struct ConsoleLogEntry: Sendable, Hashable {
  package enum Content: Sendable, Hashable {
    case chunk(length: Int)
    case note([String: Value])
  }

  package var position: UInt64
  /// Nanoseconds of CLOCK_MONOTONIC, comparable within one boot.
  package var monotonic: Int64
  /// Nanoseconds since 1970, UTC.
  package var wall: Int64
  package var content: Content

  /// The note's event; nil for a chunk.
  package var event: String? {
    if case .note(let values) = content { values["event"]?.text } else { nil }
  }

  /// Whether the owner said goodbye.
  var isClosing: Bool { event == "closed" }

  /// Reads a line; nil when it is torn or no line of an index.
  package init?(line: some StringProtocol) {
    let fields = line.split(separator: " ", maxSplits: 4, omittingEmptySubsequences: false)
    guard fields.count == 5, let position = UInt64(fields[1]) else { return nil }
    self.position = position
    switch fields[0] {
    case "d":
      guard let length = Int(fields[2]), length > 0, let monotonic = Int64(fields[3]),
        let wall = Int64(fields[4])
      else { return nil }
      self.monotonic = monotonic
      self.wall = wall
      content = .chunk(length: length)
    case "n":
      guard let monotonic = Int64(fields[2]), let wall = Int64(fields[3]),
        case .map(let values)? = Value(json: String(fields[4]))
      else { return nil }
      self.monotonic = monotonic
      self.wall = wall
      content = .note(values)
    default: return nil
    }
  }
}

extension ConsoleLogReader {
  /// All lines of the indexes that can be read, in order; torn ones are left out.
  package var entries: [ConsoleLogEntry] {
    ConsoleLogReader.starts(in: directory).flatMap { start in
      let path = ConsoleLogReader.path(directory, start) + ".index"
      let text = String(decoding: SmallFile.read(path, limit: 1 << 30) ?? [], as: UTF8.self)
      return text.split(separator: "\n").compactMap { ConsoleLogEntry(line: $0) }
    }
  }

  /// The last readable line of a segment's index, and whether the index ends in the middle of one.
  static func lastEntry(
    in directory: String, segment: UInt64
  ) -> (entry: ConsoleLogEntry?, isTorn: Bool) {
    let descriptor = kelvin_open(path(directory, segment) + ".index", O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return (nil, false) }
    defer { close(descriptor) }
    let size = lseek(descriptor, 0, Int32(SEEK_END))
    guard size > 0 else { return (nil, false) }
    let length = min(size, 65_536)
    var tail = [UInt8](repeating: 0, count: length)
    guard pread(descriptor, &tail, length, size - length) == length else { return (nil, false) }
    let lines = String(decoding: tail, as: UTF8.self).split(separator: "\n")
    return (
      lines.reversed().lazy.compactMap { ConsoleLogEntry(line: $0) }.first, tail.last != 10
    )
  }
}
