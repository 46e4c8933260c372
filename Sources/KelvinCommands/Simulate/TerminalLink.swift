internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// A symbolic link to a pseudo terminal, whose own number is another one each time.
struct TerminalLink {
  /// Where it is, from the root.
  let path: String
  private let target: String

  /// Makes it; a link that an earlier simulator left is replaced, anything else is not.
  init(_ path: String, to target: String) throws(PlainFailure) {
    self.path = SmallFile.absolute(path)
    self.target = target
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK { unlink(path) }
    guard symlink(target, path) == 0 else {
      throw PlainFailure(
        .configuration, "\(path): the link cannot be made", evidence: "\(Errno.current)")
    }
  }

  /// Removes it, unless it leads elsewhere by now.
  func remove() {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink(path, &buffer, buffer.count)
    let found = String(
      decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    if found == target { unlink(path) }
  }
}
