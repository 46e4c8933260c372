internal import CLinux
internal import Glibc
package import KelvinModel

/// Whole small files of this machine.
package enum SmallFile {
  /// The first `limit` bytes; nil when the file cannot be read.
  package static func read(_ path: String, limit: Int) -> [UInt8]? {
    let descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while bytes.count < limit {
      let count = Glibc.read(descriptor, &buffer, min(buffer.count, limit - bytes.count))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return nil }
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    return bytes
  }
}

extension SmallFile {
  /// The text without the white space at its ends, as one reads a sysfs attribute; nil when the file
  /// cannot be read. Bytes that are no UTF-8 become U+FFFD.
  package static func text(_ path: String, limit: Int = 65_536) -> String? {
    guard let bytes = read(path, limit: limit) else { return nil }
    let isSpace = { (byte: UInt8) in byte == 32 || (9...13).contains(byte) || byte == 0 }
    let end = bytes.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? 0
    return String(decoding: bytes[..<end].drop(while: isSpace), as: UTF8.self)
  }

  /// One write(2) to an existing file, as sysfs wants it.
  package static func write(_ text: String, to path: String) throws(Errno) {
    let descriptor = kelvin_open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY, 0)
    guard descriptor >= 0 else { throw .current }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    while true {
      let count = Glibc.write(descriptor, bytes, bytes.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .current }
      guard count == bytes.count else { throw .noSpace }
      return
    }
  }

  /// The names in a directory, sorted; none when it cannot be read.
  package static func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The path from the root, as seen from the working directory; links stay as they are.
  package static func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    guard let current = getcwd(nil, 0) else { return path }
    defer { free(current) }
    return String(cString: current) + "/" + path
  }

  /// The absolute path behind all symbolic links; nil when there is none.
  package static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// The same by way of the kernel, for device files: under umockdev, which tests use, realpath(3)
  /// damages memory there. Nothing is opened for use (O_PATH), so that no driver hears of it.
  package static func target(of path: String) -> String? {
    // Glibc's macro for it is hidden from Swift; the value is that of every Linux but alpha, parisc
    // and sparc (asm-generic/fcntl.h).
    let O_PATH: Int32 = 0o10000000
    let descriptor = kelvin_open(path, O_PATH | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/fd/\(descriptor)", &buffer, buffer.count)
    guard count > 0, count < buffer.count else { return nil }
    return String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
