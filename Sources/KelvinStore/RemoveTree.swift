internal import Glibc

/// Deletes a directory and all below it, its run.db last: a deletion that was cut off leaves a run
/// that can be found and deleted again. Symbolic links are deleted, never followed.
///
/// - Throws: ``StoreFailure`` that names the first entry that could not be deleted.
func removeTree(_ path: String) throws(StoreFailure) {
  let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
  guard descriptor >= 0 else { throw StoreFailure(removing: path, error: errno) }
  defer { close(descriptor) }
  let database = Array(RunStore.fileName.utf8CString)
  for name in try entryNames(in: descriptor, path: path) where name != database {
    try removeEntry(name, of: descriptor, path: path, depth: 0)
  }
  if unlinkat(descriptor, database, 0) != 0, errno != ENOENT {
    throw StoreFailure(removing: joined(path, RunStore.fileName), error: errno)
  }
  guard rmdir(path) == 0 else { throw StoreFailure(removing: path, error: errno) }
}

/// Descends by descriptor, so that a directory swapped for a link meanwhile is not followed.
private func removeEntry(
  _ name: [CChar], of directory: Int32, path: String, depth: Int
) throws(StoreFailure) {
  if unlinkat(directory, name, 0) == 0 || errno == ENOENT { return }
  let error = errno
  let entry = joined(
    path, String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self))
  // Each level keeps a descriptor open.
  guard error == EISDIR || error == EPERM, depth < 200 else {
    throw StoreFailure(removing: entry, error: error)
  }
  let descriptor = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
  guard descriptor >= 0 else { throw StoreFailure(removing: entry, error: errno) }
  defer { close(descriptor) }
  for name in try entryNames(in: descriptor, path: entry) {
    try removeEntry(name, of: descriptor, path: entry, depth: depth + 1)
  }
  guard unlinkat(directory, name, AT_REMOVEDIR) == 0 else {
    throw StoreFailure(removing: entry, error: errno)
  }
}

/// What a directory and all below it take on the disk, in bytes. Links are not followed; what cannot
/// be read counts nothing.
func diskUsage(of path: String) -> Int64 {
  let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
  guard descriptor >= 0 else { return 0 }
  defer { close(descriptor) }
  return diskUsage(below: descriptor, depth: 0)
}

private func diskUsage(below directory: Int32, depth: Int) -> Int64 {
  guard depth < 200, let names = try? entryNames(in: directory, path: "") else { return 0 }
  var size: Int64 = 0
  for name in names {
    var status = stat()
    guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
    size += Int64(status.st_blocks) * 512
    guard status.st_mode & S_IFMT == S_IFDIR else { continue }
    let descriptor = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { continue }
    size += diskUsage(below: descriptor, depth: depth + 1)
    close(descriptor)
  }
  return size
}

/// The names in a directory apart from `.` and `..`, as C strings: a name need not be UTF-8.
func entryNames(in directory: Int32, path: String) throws(StoreFailure) -> [[CChar]] {
  // fdopendir owns what it is given.
  let descriptor = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0, let stream = fdopendir(descriptor) else {
    let error = errno
    if descriptor >= 0 { close(descriptor) }
    throw StoreFailure(makingFileAt: path, error: error)
  }
  defer { closedir(stream) }
  var names: [[CChar]] = []
  while let entry = readdir(stream) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      Array(bytes.bindMemory(to: CChar.self).prefix { $0 != 0 }) + [0]
    }
    if name != [46, 0], name != [46, 46, 0] { names.append(name) }
  }
  return names
}

extension StoreFailure {
  fileprivate init(removing path: String, error: Int32) {
    self.init(
      error == EACCES || error == EPERM || error == EROFS ? .readOnly : .system, path: path,
      "could not be deleted", evidence: text(of: error), hint: "check its permissions")
  }
}
