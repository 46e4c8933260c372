internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// Where a password is: never the password itself, which stands in no file of Kelvin's, in no
/// argument and in no message.
package enum PasswordSource: Sendable, Hashable {
  /// An environment variable of the Kelvin process.
  case environment(String)
  /// A file; its first line.
  case file(String)

  /// Reads `env:NAME` or `file:PATH`.
  package init(_ text: String) throws(PlainFailure) {
    if text.hasPrefix("file:"), text.utf8.count > 5 {
      self = .file(String(text.dropFirst(5)))
    } else if text.hasPrefix("env:"), ShellWords.isName(text.dropFirst(4)) {
      self = .environment(String(text.dropFirst(4)))
    } else {
      throw PlainFailure(
        .configuration, "password-from: '\(text)' is neither 'env:NAME' nor 'file:PATH'",
        hint: "the password itself never stands in a bench file")
    }
  }

  /// Says what is wrong with it, before it is needed: not set, not there, or readable by others.
  package func check() throws(PlainFailure) {
    switch self {
    case .environment(let name):
      guard getenv(name) == nil else { return }
      throw PlainFailure(
        .configuration, "password-from: the environment variable \(name) is not set",
        hint: "set it for Kelvin, and for 'kelvin bench up' where that holds the board")
    case .file(let path):
      var status = stat()
      guard stat(path, &status) == 0 else {
        throw PlainFailure(.configuration, "password-from: \(path): \(Errno.current)")
      }
      guard status.st_mode & 0o077 == 0 else {
        throw PlainFailure(
          .configuration, "password-from: \(path): others can read it",
          hint: "chmod 600 '\(path)'")
      }
    }
  }

  /// The password: the variable's value, or the file's first line.
  ///
  /// - Throws: what ``check()`` does; when the value holds a line's end, behind which the rest would be
  ///   another program's input.
  package func read() throws(PlainFailure) -> [UInt8] {
    try check()
    switch self {
    case .environment(let name):
      let bytes = getenv(name).map { Array(String(cString: $0).utf8) } ?? []
      guard !bytes.contains(10), !bytes.contains(13) else {
        throw PlainFailure(
          .configuration, "password-from: the environment variable \(name) holds a line's end")
      }
      return bytes
    case .file(let path):
      guard let bytes = SmallFile.read(path, limit: 65_536) else {
        throw PlainFailure(.configuration, "password-from: \(path): \(Errno.current)")
      }
      return Array(bytes.prefix { $0 != 10 && $0 != 13 })
    }
  }
}
