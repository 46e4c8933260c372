internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// A password or token, by where it stands: never written in a bench file, never shown.
struct Secret: Sendable, Hashable {
  /// `env:NAME`, or the path of a file.
  let source: String

  static func option(_ name: String, _ what: String) -> OptionDeclaration {
    OptionDeclaration(
      name, .text, isDetail: true,
      "Where \(what) stands: 'env:NAME', or the path of a file that only you can read. It is never "
        + "written in a bench file itself.")
  }

  /// Reads it: the first line of the file, or the variable.
  ///
  /// - Throws: of kind configuration, when there is none, or others can read the file.
  func read() throws(PowerFailure) -> String {
    if source.hasPrefix("env:") {
      let name = String(source.dropFirst(4))
      guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else {
        throw PowerFailure(.configuration, "the environment has no '\(name)'")
      }
      return try checked(value)
    }
    var path = source
    if path.hasPrefix("~/"), let home = getenv("HOME").map({ String(cString: $0) }) {
      path = home + path.dropFirst(1)
    }
    var status = stat()
    guard stat(path, &status) == 0, let text = SmallFile.text(path, limit: 4096) else {
      throw PowerFailure(.configuration, "\(path): \(Errno.current)")
    }
    guard status.st_mode & 0o077 == 0 else {
      throw PowerFailure(
        .configuration, "\(path): others can read this secret", hint: "run 'chmod 600 \(path)'")
    }
    let line = text.split(separator: "\n", maxSplits: 1).first.map(String.init) ?? ""
    guard !line.isEmpty else { throw PowerFailure(.configuration, "\(path): it is empty") }
    return try checked(line)
  }

  /// Without control characters, which would end a header's line.
  private func checked(_ secret: String) throws(PowerFailure) -> String {
    guard secret.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else {
      throw PowerFailure(.configuration, "\(source): the secret holds a control character")
    }
    return secret
  }
}
