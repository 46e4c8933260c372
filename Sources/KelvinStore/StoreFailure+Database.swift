internal import GRDB
internal import Glibc

extension StoreFailure {
  /// Translates what SQLite said about the database at `path`.
  init(_ error: any Error, path: String) {
    if let failure = error as? StoreFailure {
      self = failure
      return
    }
    guard let error = error as? DatabaseError else {
      self.init(.system, path: path, "the database could not be used", evidence: "\(error)")
      return
    }
    let evidence =
      "SQLite: \(error.message ?? "no message"), code \(error.extendedResultCode.rawValue)"
    switch error.resultCode {
    case .SQLITE_FULL:
      self.init(.diskFull, path: path, "no space left on the file system", evidence: evidence)
    case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT, .SQLITE_MISMATCH:
      self.init(.corrupt, path: path, "the database is damaged", evidence: evidence)
    case .SQLITE_CONSTRAINT:
      self.init(
        .misuse, path: path, "a record that does not fit was refused", evidence: evidence)
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      self.init(
        .busy, path: path, "another process locks the database", evidence: evidence,
        hint: "close other programs that write to it, such as a sqlite3 shell in a transaction")
    case .SQLITE_PERM, .SQLITE_AUTH:
      self.init(.readOnly, path: path, "permission denied", evidence: evidence)
    case .SQLITE_READONLY where error.extendedResultCode == .SQLITE_READONLY_DBMOVED:
      self.init(.vanished, path: path, "moved or deleted while in use", evidence: evidence)
    case .SQLITE_READONLY:
      self.init(.readOnly, path: path, "the database is read-only", evidence: evidence)
    case .SQLITE_IOERR, .SQLITE_CANTOPEN:
      self = StoreFailure.fromFileSystem(path: path, evidence: evidence)
    case .SQLITE_ERROR:
      // Only our own statements run here: one that does not fit the schema means a damaged schema.
      self.init(.corrupt, path: path, "the database's schema is damaged", evidence: evidence)
    default:
      self.init(.system, path: path, "the database could not be used", evidence: evidence)
    }
  }

  /// Finds out why files at `path` could not be used; SQLite does not say it, so the file system is
  /// asked.
  private static func fromFileSystem(path: String, evidence: String) -> StoreFailure {
    var fileSystem = statvfs()
    if statvfs(parent(of: path), &fileSystem) == 0,
      fileSystem.f_bavail == 0 || (fileSystem.f_files > 0 && fileSystem.f_favail == 0)
    {
      return StoreFailure(
        .diskFull, path: path, "no space left on the file system", evidence: evidence)
    }
    if access(path, F_OK) != 0 {
      let error = errno
      switch error {
      case ENOENT, ENOTDIR:
        return StoreFailure(.vanished, path: path, "no such file", evidence: evidence)
      default:
        return StoreFailure(.readOnly, path: path, text(of: error), evidence: evidence)
      }
    }
    if access(path, R_OK | W_OK) != 0 {
      return StoreFailure(.readOnly, path: path, text(of: errno), evidence: evidence)
    }
    if access(parent(of: path), W_OK | X_OK) != 0 {
      return StoreFailure(.readOnly, path: parent(of: path), text(of: errno), evidence: evidence)
    }
    return StoreFailure(.system, path: path, "input/output error", evidence: evidence)
  }
}

/// Runs `body`, and translates its error into a failure that names `path`.
func translating<T>(
  path: String, _ body: () throws -> T
) throws(StoreFailure) -> T {
  do {
    return try body()
  } catch {
    throw StoreFailure(error, path: path)
  }
}
