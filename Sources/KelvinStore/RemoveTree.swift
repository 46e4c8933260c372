internal import Glibc

/// Deletes a directory and all below it, its run.db last: a deletion that was cut off leaves a run
/// that can be found and deleted again. Symbolic links are deleted, never followed.
///
/// - Throws: ``StoreFailure`` that names the first entry that could not be deleted.
func removeTree(_ path: String) throws(StoreFailure) {
  let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
  guard descriptor >= 0 else { throw StoreFailure(removing: path, error: errno) }
  defer { close(descriptor) }
  try removeContents(of: descriptor, path: path, depth: 0)
  guard rmdir(path) == 0 else { throw StoreFailure(removing: path, error: errno) }
}

/// Descends by descriptor, so that a directory swapped for a link meanwhile is not followed.
private func removeContents(
  of directory: Int32, path: String, depth: Int
) throws(StoreFailure) {
  // Each level holds two descriptors open.
  guard depth < 200 else { throw StoreFailure(removing: path, error: ENAMETOOLONG) }
  for name in try names(in: directory, path: path) where name != RunStore.fileName || depth > 0 {
    try removeEntry(name, of: directory, path: path, depth: depth)
  }
  guard depth == 0 else { return }
  if unlinkat(directory, RunStore.fileName, 0) != 0, errno != ENOENT {
    throw StoreFailure(removing: joined(path, RunStore.fileName), error: errno)
  }
}

private func removeEntry(
  _ name: String, of directory: Int32, path: String, depth: Int
) throws(StoreFailure) {
  let entry = joined(path, name)
  if unlinkat(directory, name, 0) == 0 || errno == ENOENT { return }
  guard errno == EISDIR || errno == EPERM else {
    throw StoreFailure(removing: entry, error: errno)
  }
  let descriptor = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
  guard descriptor >= 0 else { throw StoreFailure(removing: entry, error: errno) }
  defer { close(descriptor) }
  try removeContents(of: descriptor, path: entry, depth: depth + 1)
  guard unlinkat(directory, name, AT_REMOVEDIR) == 0 else {
    throw StoreFailure(removing: entry, error: errno)
  }
}

/// The names in a directory apart from `.` and `..`, sorted.
func names(in directory: Int32, path: String) throws(StoreFailure) -> [String] {
  // fdopendir owns what it is given.
  let descriptor = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0, let stream = fdopendir(descriptor) else {
    let error = errno
    if descriptor >= 0 { close(descriptor) }
    throw StoreFailure(makingFileAt: path, error: error)
  }
  defer { closedir(stream) }
  var names: [String] = []
  while let entry = readdir(stream) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names.sorted()
}

extension StoreFailure {
  fileprivate init(removing path: String, error: Int32) {
    self.init(
      error == EACCES || error == EPERM || error == EROFS ? .readOnly : .system, path: path,
      "could not be deleted", evidence: text(of: error), hint: "check its permissions")
  }
}
