internal import CLinux
internal import Glibc
internal import KelvinModel

/// The lines of a file, one after the other, in bounded memory.
struct LineReader {
  /// What a line holds beyond this is not looked at.
  static let lineLimit = 1 << 20

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
    var buffer = [UInt8](repeating: 0, count: 1 << 17)
    var line: [UInt8] = []
    var cut = 0
    var isCut = false
    func finish() throws {
      if line.last == 13 { line.removeLast() }
      try line.withUnsafeBytes { try body($0) }
      line.removeAll(keepingCapacity: true)
      isCut = false
    }
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw PlainFailure(.infrastructure, "\(path): \(Errno.current)") }
      if count == 0 { break }
      var rest = buffer[..<count]
      while let end = rest.firstIndex(of: 10) {
        add(rest[..<end], to: &line, &isCut, &cut)
        try finish()
        rest = rest[(end + 1)...]
      }
      add(rest, to: &line, &isCut, &cut)
    }
    if !line.isEmpty { try finish() }
    return cut
  }

  private static func add(
    _ bytes: ArraySlice<UInt8>, to line: inout [UInt8], _ isCut: inout Bool, _ cut: inout Int
  ) {
    let room = lineLimit - line.count
    line += bytes.prefix(room)
    if bytes.count > room, !isCut {
      isCut = true
      cut += 1
    }
  }
}

/// The end of a file, as evidence in messages.
enum Tail {
  /// The last lines of a file, at most `lines` and 2,000 bytes, unprintable bytes as `?`; empty when
  /// there is no such file.
  static func text(of path: String, lines: Int = 3) -> String {
    let descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    let size = lseek(descriptor, 0, SEEK_END)
    lseek(descriptor, max(0, size - 2000), SEEK_SET)
    var buffer = [UInt8](repeating: 0, count: 2000)
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return "" }
    let printable = buffer[..<count].map { byte -> UInt8 in
      byte == 10 || (byte >= 32 && byte != 127) ? byte : UInt8(ascii: "?")
    }
    return String(decoding: printable, as: UTF8.self)
      .split(separator: "\n").suffix(lines).joined(separator: " | ")
  }
}
