internal import CLinux
internal import Glibc
package import KelvinModel

/// Unix stream sockets by names in a directory that is open: the address stays short however long the
/// path is (sockaddr_un holds 108 bytes), and nobody can exchange the directory in between.
package enum UnixSocket {
  /// Connects, non-blocking afterwards; a full backlog is waited for.
  package static func connect(
    directory: Int32, name: String, until deadline: Deadline
  ) throws(KelvinModel.Errno) -> Int32 {
    let descriptor = try make()
    while true {
      let status = withAddress(directory, name) { Glibc.connect(descriptor, $0, $1) }
      if status == 0 { return descriptor }
      let error = Errno.current
      // EAGAIN: the backlog is full (unix(7)), and nothing can be polled for.
      if error.rawValue == EAGAIN, deadline.limited(toSeconds: 0.005).wait() == .passed,
        !deadline.hasPassed
      {
        continue
      }
      if error.rawValue == EINTR { continue }
      close(descriptor)
      throw error
    }
  }

  /// Connects to a path of any length.
  package static func connect(
    path: String, until deadline: Deadline
  ) throws(KelvinModel.Errno) -> Int32 {
    let slash = path.lastIndex(of: "/")
    let parent = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let directory = kelvin_open(parent, directoryFlags, 0)
    guard directory >= 0 else { throw .current }
    defer { close(directory) }
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    return try connect(directory: directory, name: name, until: deadline)
  }

  /// Listens under a name of mode 0600; what was there before is replaced, at no moment is there
  /// nothing or a socket that nobody listens on.
  package static func listen(directory: Int32, name: String) throws(KelvinModel.Errno) -> Int32 {
    let descriptor = try make()
    let draft = name + ".new"
    unlinkat(directory, draft, 0)
    guard withAddress(directory, draft, { bind(descriptor, $0, $1) }) == 0,
      fchmodat(directory, draft, 0o600, 0) == 0, Glibc.listen(descriptor, 64) == 0,
      renameat(directory, draft, directory, name) == 0
    else {
      let error = Errno.current
      close(descriptor)
      throw error
    }
    return descriptor
  }

  private static let directoryFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC

  private static func make() throws(KelvinModel.Errno) -> Int32 {
    let kind =
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(AF_UNIX, kind, 0)
    guard descriptor >= 0 else { throw .current }
    return descriptor
  }

  private static func withAddress(
    _ directory: Int32, _ name: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = Array("/proc/self/fd/\(directory)/\(name)".utf8)
    guard path.count < MemoryLayout.size(ofValue: address.sun_path) else {
      errno = ENAMETOOLONG
      return -1
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}
