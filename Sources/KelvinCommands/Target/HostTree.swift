internal import Glibc
internal import KelvinConnections
internal import KelvinModel

/// Files of this machine that are to be copied.
enum HostTree {
  struct File: Sendable, Hashable {
    /// Here.
    var path: String
    /// From the source's own name on: `tests/a/b` of `../tests`.
    var relative: String
    var mode: UInt16
    var size: Int64
  }

  /// Everything below the sources, links followed, sorted by name.
  ///
  /// - Throws: of kind configuration for what is not there, cannot be read, or is no file.
  static func files(of sources: [String]) throws(PlainFailure) -> [File] {
    var files: [File] = []
    for source in sources {
      try add(source, relative: name(of: source), depth: 0, to: &files)
    }
    return files
  }

  private static func add(
    _ path: String, relative: String, depth: Int, to files: inout [File]
  ) throws(PlainFailure) {
    // A link that leads up would never end.
    guard depth < 64 else {
      throw PlainFailure(.configuration, "\(path): nested too deep", hint: "a link that leads up?")
    }
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw PlainFailure(.configuration, "\(path): \(Errno.current)")
    }
    switch status.st_mode & S_IFMT {
    case S_IFDIR:
      guard let names = names(in: path) else {
        throw PlainFailure(.configuration, "\(path): \(Errno.current)")
      }
      for name in names {
        try add(path + "/" + name, relative: relative + "/" + name, depth: depth + 1, to: &files)
      }
    case S_IFREG:
      guard access(path, R_OK) == 0 else {
        throw PlainFailure(.configuration, "\(path): \(Errno.current)")
      }
      files.append(
        File(
          path: path, relative: relative,
          mode: UInt16(truncatingIfNeeded: status.st_mode & 0o7777), size: Int64(status.st_size)))
    default: throw PlainFailure(.configuration, "\(path): neither a file nor a directory")
    }
  }

  private static func names(in path: String) -> [String]? {
    guard let directory = opendir(path) else { return nil }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The last part of a path; of `.` and `..` the directory's own name.
  private static func name(of path: String) -> String {
    let last = path.split(separator: "/").last.map(String.init) ?? "root"
    guard last == "." || last == ".." else { return last }
    guard let resolved = realpath(path, nil) else { return last }
    defer { free(resolved) }
    return String(cString: resolved).split(separator: "/").last.map(String.init) ?? "root"
  }

  static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  static func size(of path: String) -> Int64 {
    var status = stat()
    return stat(path, &status) == 0 ? Int64(status.st_size) : 0
  }

  /// Makes the directory of a file, and those above.
  static func makeParent(of path: String) throws(PlainFailure) {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
    let parent = String(path[..<slash])
    if isDirectory(parent) { return }
    try makeParent(of: parent)
    guard mkdir(parent, 0o755) == 0 || errno == EEXIST else {
      throw PlainFailure(.configuration, "\(parent): \(Errno.current)")
    }
  }
}

/// Files of a target that are to be copied.
enum TargetTree {
  struct File: Sendable, Hashable {
    var path: TargetPath
    /// From the source's own name on.
    var relative: String
    /// Nil where it is not known.
    var mode: UInt16?
    /// Nil where it is not known.
    var size: Int64?
  }

  /// Everything below the sources; links of a tree and what is neither file nor directory are left
  /// out.
  ///
  /// - Throws: `notFound` for a source that is not there; `unsupported` for a name that would lead out
  ///   of the destination.
  static func files(
    of sources: [String], on connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [File] {
    var files: [File] = []
    for source in sources {
      let trimmed = source.count > 1 && source.hasSuffix("/") ? String(source.dropLast()) : source
      let name = trimmed.split(separator: "/").last.map(String.init) ?? "root"
      let entries: [FileEntry]
      do {
        entries = try await connection.list(TargetPath(trimmed), depth: 64, until: deadline)
      } catch {
        guard isFile(error) else { throw error }
        files.append(File(path: TargetPath(trimmed), relative: name))
        continue
      }
      for entry in entries where entry.kind == .file {
        let below = String(entry.path.string.dropFirst(trimmed.count)).drop { $0 == "/" }
        guard !below.split(separator: "/").contains("..") else {
          throw ConnectionFailure(
            .unsupported, "\(entry.path): a name that leads out of the destination")
        }
        files.append(
          File(
            path: entry.path, relative: name + "/" + below, mode: entry.mode, size: entry.size))
      }
    }
    return files
  }

  /// Whether a listing failed because the path is no directory; whether it is there shows when it is
  /// read.
  private static func isFile(_ failure: ConnectionFailure) -> Bool {
    switch failure.code {
    case .notFound, .system: true
    default: false
    }
  }
}
