internal import Glibc
internal import KelvinConnections
internal import KelvinModel

/// Reads the small files in which a board says what it has.
struct SettingsReader {
  let connection: any Connection
  /// `uname -m`.
  let machine: String
  /// What points held before they were changed.
  var originals: [String: String] = [:]

  /// Texts of files without blanks around them; nil where one cannot be read.
  func texts(
    _ paths: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [String?] {
    guard !paths.isEmpty else { return [] }
    return try await connection.read(paths.map { TargetPath($0) }, until: deadline)
      .map(SettingsReader.text)
  }

  /// The names in a directory; empty when there is none.
  func names(
    in directory: String, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [String] {
    try await entries(below: directory, depth: 1, until: deadline).map {
      String($0.path.string.dropFirst(directory.count + 1))
    }
  }

  /// What is below a directory; empty when there is none.
  func entries(
    below directory: String, depth: Int, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [FileEntry] {
    do throws(ConnectionFailure) {
      return try await connection.list(TargetPath(directory), depth: depth, until: deadline)
    } catch {
      switch error.code {
      case .notFound, .permissionDenied: return []
      default: throw error
      }
    }
  }

  /// Runs a shell line, as root unless told otherwise, and gives what it prints; nil when it fails.
  func output(
    of script: String, asRoot: Bool = true, until deadline: Deadline
  ) async throws(ConnectionFailure) -> String? {
    let result = try await connection.execute(
      Command(["sh", "-c", script], standardError: .discard, asRoot: asRoot), until: deadline)
    guard result.isSuccess else { return nil }
    return String(result.standardOutput.text.trimmingASCIIWhitespace)
  }

  /// A reading as text.
  static func text(_ reading: Result<[UInt8], Errno>) -> String? {
    guard case .success(let bytes) = reading else { return nil }
    return text(bytes)
  }

  /// A reading of a file of sysfs; those that mean nothing at present are no readings:
  /// scaling_setspeed says `<unsupported>` under all governors but one.
  static func value(_ reading: Result<[UInt8], Errno>) -> Result<String, Errno> {
    reading.map(text).flatMap { text in
      text == "<unsupported>" ? .failure(Errno(EOPNOTSUPP)) : .success(text)
    }
  }

  /// A value's text: without blanks and NULs around it.
  static func text(_ bytes: [UInt8]) -> String {
    String(String(decoding: bytes.filter { $0 != 0 }, as: UTF8.self).trimmingASCIIWhitespace)
  }
}

extension String {
  /// Words between blanks.
  var words: [String] { split { $0 == " " || $0 == "\t" || $0.isNewline }.map(String.init) }
}
