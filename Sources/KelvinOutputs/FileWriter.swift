internal import Glibc

/// Writes a file that is complete or not there: text goes to a temporary file in the same directory,
/// which takes the name at the end.
///
/// The file is not synchronized: it can be made again from the store, which is.
struct FileWriter: ~Copyable {
  private let path: String
  private let temporary: String
  private var descriptor: Int32
  private var buffer = ""

  /// Begins a file.
  init(_ name: String, in directory: String) throws(OutputFailure) {
    path = directory + "/" + name
    temporary = "\(directory)/.\(name).\(getpid()).part"
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw OutputFailure(writing: path, error: errno) }
  }

  deinit {
    // Not committed: as if it had never been begun.
    if descriptor >= 0 {
      close(descriptor)
      unlink(temporary)
    }
  }

  /// Appends text.
  mutating func write(_ text: String) throws(OutputFailure) {
    buffer += text
    if buffer.utf8.count >= 1 << 16 { try flush() }
  }

  private mutating func flush() throws(OutputFailure) {
    try writeAll(buffer, to: descriptor, path: path)
    buffer.removeAll(keepingCapacity: true)
  }

  /// Gives the file its name, in place of what had it.
  consuming func commit() throws(OutputFailure) {
    try flush()
    // Some file systems report a full disk only here.
    let result = close(descriptor)
    descriptor = -1
    guard result == 0, rename(temporary, path) == 0 else {
      let error = errno
      unlink(temporary)
      throw OutputFailure(writing: path, error: error)
    }
  }
}

/// Writes all of `text`.
func writeAll(_ text: String, to descriptor: Int32, path: String) throws(OutputFailure) {
  var text = text
  let error = text.withUTF8 { bytes -> Int32 in
    var rest = UnsafeRawBufferPointer(bytes)
    while !rest.isEmpty {
      let count = write(descriptor, rest.baseAddress, rest.count)
      if count < 0 {
        if errno == EINTR { continue }
        return errno
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return 0
  }
  guard error == 0 else { throw OutputFailure(writing: path, error: error) }
}
