internal import Glibc
internal import KelvinModel

/// Reads whole text files: regular, bounded, UTF-8; everything else is refused with what to do.
enum SourceText {
  /// Why a file cannot be read; the caller adds the place that names the file.
  struct Refusal: Error {
    var message: String
    var hint = ""
    /// In the file itself, when known.
    var line = 0
  }

  /// The text of a file, without a byte order mark.
  ///
  /// The size is checked before anything is read, and nothing here blocks on a FIFO.
  static func read(_ path: String, limit: Int) throws(Refusal) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else {
      let error = Errno.current
      throw Refusal(
        message: error == .notFound ? "no such file" : "cannot open the file: \(error)",
        hint: path.isEmpty ? "the path is empty" : "")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw Refusal(message: "cannot open the file: \(Errno.current)")
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw Refusal(message: "this is a directory", hint: "name a YAML file in it")
    case S_IFIFO: throw Refusal(message: "this is a FIFO, not a file")
    case S_IFSOCK: throw Refusal(message: "this is a socket, not a file")
    default: throw Refusal(message: "this is a device, not a file")
    }
    guard status.st_size <= limit else {
      throw Refusal(
        message: "the file is too large: \(status.st_size) bytes, at most \(limit) are read",
        hint: "is this really YAML?")
    }
    let bytes = try readAll(descriptor, expected: Int(status.st_size), limit: limit)
    return try decode(bytes)
  }

  /// Reads to the end of the file; files in /proc and growing files have no size beforehand.
  private static func readAll(
    _ descriptor: Int32, expected: Int, limit: Int
  ) throws(Refusal) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: expected + 1)
    var count = 0
    while true {
      if count == bytes.count { bytes.append(contentsOf: repeatElement(0, count: 65_536)) }
      let got = bytes.withUnsafeMutableBytes { buffer in
        Glibc.read(descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count)
      }
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else { throw Refusal(message: "cannot read the file: \(Errno.current)") }
      if got == 0 { break }
      count += got
      guard count <= limit else {
        throw Refusal(message: "the file is too large: at most \(limit) bytes are read")
      }
    }
    bytes.removeSubrange(count...)
    return bytes
  }

  private static func decode(_ bytes: [UInt8]) throws(Refusal) -> String {
    var body = bytes[...]
    if body.starts(with: [0xff, 0xfe]) || body.starts(with: [0xfe, 0xff]) {
      throw Refusal(message: "the file is UTF-16", hint: "save it as UTF-8")
    }
    if body.starts(with: [0xef, 0xbb, 0xbf]) { body = body.dropFirst(3) }
    if let text = String(validating: body, as: UTF8.self) { return text }
    // No byte of a multi-byte character is a line feed, so the first bad line can be found alone.
    let lines = body.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let bad = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0
    throw Refusal(
      message: "this line is not UTF-8 text", hint: "save the file as UTF-8", line: bad + 1)
  }
}
