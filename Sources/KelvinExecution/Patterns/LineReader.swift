internal import CLinux
internal import Glibc
internal import KelvinModel

/// The lines of a file, one after the other, in bounded memory.
enum LineReader {
  /// What a line holds beyond this is not looked at.
  static let lineLimit = 1 << 20
  /// Bytes asked for at a time.
  private static let step = 1 << 17

  /// Calls `body` with each line, without its line end (`\n` or `\r\n`).
  ///
  /// - Returns: how many lines were cut at ``lineLimit``.
  /// - Throws: when the file cannot be read, or `body` throws. A file that is not there has no
  ///   lines.
  static func forEachLine(
    in path: String, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> Int {
    let descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else {
      if errno == ENOENT { return 0 }
      throw PlainFailure(.infrastructure, "\(path): \(Errno.current)")
    }
    defer { close(descriptor) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: lineLimit + step, alignment: 16)
    defer { buffer.deallocate() }
    guard let base = buffer.baseAddress else { return 0 }
    /// Bytes of a line whose end has not been read yet, at the start of the buffer.
    var pending = 0
    /// The pending line was cut; what follows up to its end is left out.
    var isCut = false
    var cut = 0

    func emit(_ range: Range<Int>) throws {
      if isCut {
        isCut = false
        return
      }
      var line = UnsafeRawBufferPointer(rebasing: buffer[range])
      if line.count > lineLimit {
        cut += 1
        line = UnsafeRawBufferPointer(rebasing: line[..<lineLimit])
      } else if line.last == 13 {
        line = UnsafeRawBufferPointer(rebasing: line.dropLast())
      }
      try body(line)
    }

    while true {
      let count = read(descriptor, base + pending, step)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw PlainFailure(.infrastructure, "\(path): \(Errno.current)") }
      if count == 0 { break }
      let end = pending + count
      var start = 0
      var searched = pending
      while let found = memchr(base + searched, 10, end - searched) {
        let newline = UnsafeMutableRawPointer(found) - base
        try emit(start..<newline)
        start = newline + 1
        searched = start
      }
      pending = isCut ? 0 : end - start
      if pending > lineLimit {
        try emit(start..<end)
        isCut = true
        pending = 0
      } else if start > 0 {
        memmove(base, base + start, pending)
      }
    }
    if pending > 0 { try emit(0..<pending) }
    return cut
  }
}
