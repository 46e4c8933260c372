internal import GRDB
internal import Glibc

extension RunReader {
  /// Opens a run's database to read it, wherever it lies.
  ///
  /// SQLite's readers of a write-ahead log want to write a shared-memory file beside it. Where they
  /// cannot, nobody else writes either: a database whose log is empty is then read as immutable, and
  /// one with a log, left by a dead process, is read from a temporary copy.
  static func open(_ path: String) throws(StoreFailure) -> DatabaseQueue {
    var status = stat()
    guard stat(path, &status) == 0 else {
      let error = errno
      if error == ENOENT || error == ENOTDIR {
        throw StoreFailure(.notFound, path: parent(of: path), "no run there")
      }
      throw StoreFailure(makingFileAt: path, error: error)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw StoreFailure(.notARun, path: path, "not a file")
    }
    return try translating(path: path) {
      do {
        return try RunStore.openForReading(path)
      } catch let error as DatabaseError
        where error.resultCode == .SQLITE_CANTOPEN || error.resultCode == .SQLITE_READONLY
      {
        // A process died while it put the database into its final form; only a writer undoes that.
        if error.extendedResultCode == .SQLITE_READONLY_ROLLBACK,
          access(parent(of: path), W_OK) == 0
        {
          try rollBack(path)
          return try RunStore.openForReading(path)
        }
        // Also the cause when SQLite may not read at all.
        guard access(path, R_OK) == 0, access(parent(of: path), W_OK) != 0 else { throw error }
        var log = stat()
        let hasLog = ["-wal", "-journal"].contains {
          stat(path + $0, &log) == 0 && log.st_size > 0
        }
        if !hasLog {
          return try RunStore.openForReading(immutableURI(path))
        }
        return try openCopy(path)
      }
    }
  }

  /// Lets SQLite undo a transaction that a dead process left in a rollback journal.
  private static func rollBack(_ path: String) throws {
    var configuration = Configuration()
    configuration.busyMode = .timeout(10)
    configuration.journalMode = .default
    let queue = try DatabaseQueue(path: path, configuration: configuration)
    _ = try queue.read { try Int64.fetchOne($0, sql: "SELECT count(*) FROM sqlite_schema") }
    try queue.close()
  }

  private static func immutableURI(_ path: String) -> String {
    var uri = "file:"
    for byte in path.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."),
        UInt8(ascii: "-"), UInt8(ascii: "_"):
        uri.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        uri += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
      }
    }
    return uri + "?immutable=1"
  }

  /// Opens a copy of the database and its log; its files are gone from the directory when this
  /// returns, and from the disk when the connection closes.
  private static func openCopy(_ path: String) throws -> DatabaseQueue {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array(joined(base, "kelvin-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw StoreFailure(makingFileAt: base, error: errno) }
    let directory = String(
      decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { try? removeTree(directory) }
    let copy = joined(directory, RunStore.fileName)
    try copyFile(from: path, to: copy)
    for suffix in ["-wal", "-journal"] where access(path + suffix, F_OK) == 0 {
      try copyFile(from: path + suffix, to: copy + suffix)
    }
    try rollBack(copy)
    return try RunStore.openForReading(copy)
  }

  private static func copyFile(from source: String, to destination: String) throws(StoreFailure) {
    let input = Glibc.open(source, O_RDONLY | O_CLOEXEC)
    guard input >= 0 else { throw StoreFailure(makingFileAt: source, error: errno) }
    defer { close(input) }
    let output = Glibc.open(destination, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard output >= 0 else { throw StoreFailure(makingFileAt: destination, error: errno) }
    defer { close(output) }
    var buffer = [UInt8](repeating: 0, count: 1 << 17)
    while true {
      let count = Glibc.read(input, &buffer, buffer.count)
      if count == 0 { return }
      guard count > 0 else { throw StoreFailure(makingFileAt: source, error: errno) }
      var written = 0
      while written < count {
        let more = buffer[written..<count].withUnsafeBytes {
          write(output, $0.baseAddress, $0.count)
        }
        guard more > 0 else { throw StoreFailure(makingFileAt: destination, error: errno) }
        written += more
      }
    }
  }
}
