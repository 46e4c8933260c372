internal import KelvinConnections
internal import KelvinModel

extension Connection {
  /// The names of a directory's entries that are `prefix` and a number, in the order of the
  /// numbers: `policy0`, `policy4`. Empty when the directory is not there.
  ///
  /// - Throws: only when the link failed or time is over.
  func numberedEntries(
    _ prefix: String, in directory: TargetPath, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [String] {
    var found: [(number: Int, name: String)] = []
    for entry in try await entries(of: directory, until: deadline) {
      guard entry.hasPrefix(prefix), let number = Int(entry.dropFirst(prefix.count)), number >= 0
      else { continue }
      found.append((number, entry))
    }
    return found.sorted { $0.number < $1.number }.map(\.name)
  }

  /// The names of a directory's entries, sorted. Empty when it is not there or not readable.
  ///
  /// - Throws: only when the link failed or time is over.
  func entries(
    of directory: TargetPath, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [String] {
    try await entriesIfThere(of: directory, until: deadline).map(\.name)
  }
}
