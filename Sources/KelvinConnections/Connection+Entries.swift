package import KelvinModel

extension Connection {
  /// A directory's entries, sorted by name; none when it is not there or not readable.
  ///
  /// - Throws: only when the link failed or time is over.
  package func entriesIfThere(
    of directory: TargetPath, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [FileEntry] {
    do {
      return try await list(directory, depth: 1, until: deadline)
    } catch {
      switch error.code {
      case .unreachable, .connectionLost, .badReply, .timedOut, .interrupted: throw error
      case .permissionDenied, .notFound, .unsupported, .refused, .hostFile, .system: return []
      }
    }
  }
}

extension FileEntry {
  /// The last part of its path.
  package var name: String { path.string.split(separator: "/").last.map(String.init) ?? "" }
}
