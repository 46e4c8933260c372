internal import KelvinConnections
internal import KelvinModel

/// Reads all regular files below some directories of a target, within limits.
struct TreeReader: Sendable {
  /// The content of a tree, and what is not in it.
  struct Tree: Sendable {
    /// By path.
    var files: [String: [UInt8]] = [:]
    /// Paths with the reason.
    var leftOut: [String] = []
  }

  let paths: [TargetPath]
  let maxFileSize: Int
  let maxSize: Int
  let maxFiles: Int

  /// Files in one call; bounds what a call holds in memory.
  private static let batch = 256

  /// The files below the paths: one round trip for each path.
  ///
  /// - Throws: only when the link failed or time is over; what is not there has no files.
  func files(
    _ connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetPath] {
    var files: [TargetPath] = []
    var seen: Set<TargetPath> = []
    for path in paths {
      let entries: [FileEntry]
      do {
        // With the slash at its end a link to a directory is the directory.
        entries = try await connection.list(path.appending(""), depth: 32, until: deadline)
      } catch {
        switch error.code {
        case .unreachable, .connectionLost, .badReply, .timedOut, .interrupted: throw error
        // Not a directory, or not there: reading it will tell.
        case .permissionDenied, .notFound, .unsupported, .refused, .hostFile, .system: entries = []
        }
      }
      let listed = entries.filter { $0.kind == .file && $0.mode & 0o444 != 0 }
        .map { TargetPath($0.path.string.replacing("//", with: "/")) }
      for file in entries.isEmpty ? [path] : listed where seen.insert(file).inserted {
        // A read of trace_pipe waits for events for ever.
        if file.string.split(separator: "/").last?.hasPrefix("trace_pipe") == true { continue }
        files.append(file)
      }
    }
    return files
  }

  /// Lists and reads the tree as it is now.
  func read(
    _ connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> Tree {
    var tree = Tree()
    let files = try await files(connection, until: deadline)
    if files.count > maxFiles {
      tree.leftOut += files[maxFiles...].map { "\($0) (beyond max_files)" }
    }
    var size = 0
    var rest = files.prefix(maxFiles)
    while !rest.isEmpty {
      let batch = Array(rest.prefix(TreeReader.batch))
      rest = rest.dropFirst(batch.count)
      let contents = try await connection.read(batch, until: deadline)
      for (path, content) in zip(batch, contents) {
        switch content {
        case .failure(let error): tree.leftOut.append("\(path) (\(error))")
        case .success(let bytes) where bytes.count > maxFileSize:
          tree.leftOut.append("\(path) (\(bytes.count) bytes)")
        case .success(let bytes) where size + bytes.count > maxSize:
          tree.leftOut.append("\(path) (beyond max_size)")
        case .success(let bytes):
          size += bytes.count
          tree.files[path.string] = bytes
        }
      }
    }
    return tree
  }
}
