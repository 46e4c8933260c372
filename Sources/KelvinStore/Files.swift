internal import Glibc
internal import KelvinModel

/// Which file a path named when it was looked at.
struct FileIdentity: Hashable {
  var device: UInt64
  var inode: UInt64

  /// Looks at the file without opening it; nil when there is none.
  ///
  /// The database is never opened besides SQLite: closing such a descriptor would drop the locks
  /// that SQLite holds for this process (POSIX locks belong to the process and the file).
  init?(of path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
  }
}

/// The text of an errno value, in lower case as in the middle of a message.
func text(of error: Int32) -> String {
  let text = KelvinModel.Errno(error).description
  return text.prefix(1).lowercased() + text.dropFirst()
}

/// The directory that holds `path`.
func parent(of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// Appends a name to a directory.
func joined(_ directory: String, _ name: String) -> String {
  directory.hasSuffix("/") ? directory + name : directory + "/" + name
}

/// Makes a directory and those above it that are missing.
func makeDirectories(_ path: String) throws(StoreFailure) {
  if mkdir(path, 0o777) == 0 { return }
  var error = errno
  if error == ENOENT, path.contains("/") {
    let above = parent(of: path)
    guard above != path else {
      throw StoreFailure(.system, path: path, "could not be made", evidence: text(of: error))
    }
    try makeDirectories(above)
    if mkdir(path, 0o777) == 0 { return }
    error = errno
  }
  if error == EEXIST {
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
    throw StoreFailure(
      .exists, path: path, "is not a directory", hint: "choose another directory with -d")
  }
  throw StoreFailure(makingFileAt: path, error: error)
}

extension StoreFailure {
  /// Says why a file or directory could not be made at `path`.
  init(makingFileAt path: String, error: Int32) {
    switch error {
    case ENOSPC, EDQUOT:
      self.init(.diskFull, path: path, text(of: error))
    case EACCES, EPERM, EROFS:
      self.init(.readOnly, path: path, text(of: error))
    case ENOENT, ENOTDIR:
      self.init(.notFound, path: path, text(of: error), hint: "check the path")
    default:
      self.init(.system, path: path, text(of: error))
    }
  }
}

/// Makes a directory's entries durable. A file system that cannot is not an error.
func synchronizeDirectory(_ path: String) {
  let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { return }
  fsync(descriptor)
  close(descriptor)
}
