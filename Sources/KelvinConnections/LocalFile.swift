internal import CLinux
internal import Glibc
internal import KelvinModel

/// Files of this machine, one system call after the other.
enum LocalFile {
  /// Files beyond this give EFBIG.
  static let readLimit = 16 << 20

  /// Reads to the end of the file, whatever its size is said to be: procfs and sysfs lie.
  static func read(_ path: String) throws(Errno) -> [UInt8] {
    let descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
    guard descriptor >= 0 else { throw .current }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var room = 4096
    while true {
      let used = bytes.count
      var failure: Errno?
      bytes.append(contentsOf: repeatElement(0, count: room))
      let count = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress?.advanced(by: used), room)
      }
      if count < 0 { failure = .current }
      bytes.removeLast(room - max(0, count))
      if let failure {
        if failure.rawValue == EINTR { continue }
        throw failure
      }
      if count == 0 { return bytes }
      if bytes.count > readLimit { throw Errno(EFBIG) }
      // Files of /proc give a page at a time, however much is asked for.
      if count == room { room = min(2 * room, 1 << 20) }
    }
  }

  /// One write(2) to an existing file.
  static func write(_ bytes: [UInt8], to path: String) throws(Errno) {
    let descriptor = kelvin_open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
    guard descriptor >= 0 else { throw .current }
    defer { close(descriptor) }
    while true {
      let count = Glibc.write(descriptor, bytes, bytes.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .current }
      guard count == bytes.count else { throw .noSpace }
      return
    }
  }

  /// Puts a file in the place of another: written to a temporary name beside it, and renamed.
  static func replace(_ path: String, with bytes: [UInt8]) throws(Errno) {
    let temporary = path + ".kelvin-\(getpid())"
    let file = kelvin_open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw .current }
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(file, $0.baseAddress?.advanced(by: offset), bytes.count - offset)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      offset += count
    }
    let isWritten = offset == bytes.count
    var error = Errno.current
    close(file)
    if isWritten {
      if rename(temporary, path) == 0 { return }
      error = .current
    }
    unlink(temporary)
    throw error
  }

  /// The names in a directory, sorted; none when it cannot be read.
  static func names(in directory: String) -> [String] {
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

  /// Where a symbolic link leads; empty when it cannot be read.
  static func link(_ path: String) -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink(path, &buffer, buffer.count)
    guard count > 0 else { return "" }
    return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Which side of a copy failed.
  enum CopyFailure: Error { case source(Errno), destination(Errno), deadline }

  /// Copies to a temporary name beside the destination and renames it.
  static func copy(
    _ source: String, to destination: String, mode: UInt16, until deadline: Deadline
  ) throws(CopyFailure) {
    let input = kelvin_open(source, O_RDONLY | O_CLOEXEC, 0)
    guard input >= 0 else { throw .source(.current) }
    defer { close(input) }
    if let slash = destination.lastIndex(of: "/"), slash != destination.startIndex {
      HostDirectories.make(String(destination[..<slash]))
    }
    let temporary = destination + ".kelvin-\(getpid())"
    let output = kelvin_open(
      temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode_t(mode))
    guard output >= 0 else { throw .destination(.current) }
    var isComplete = false
    defer {
      close(output)
      if !isComplete { unlink(temporary) }
    }
    fchmod(output, mode_t(mode))
    var buffer = [UInt8](repeating: 0, count: 1 << 17)
    while true {
      if deadline.hasPassed || deadline.isInterrupted { throw .deadline }
      let count = Glibc.read(input, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .source(.current) }
      if count == 0 { break }
      var offset = 0
      while offset < count {
        let written = buffer.withUnsafeBytes {
          Glibc.write(output, $0.baseAddress?.advanced(by: offset), count - offset)
        }
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { throw .destination(.current) }
        offset += written
      }
    }
    guard rename(temporary, destination) == 0 else { throw .destination(.current) }
    isComplete = true
  }

  /// Removes a file or a whole tree; symbolic links are removed, not followed.
  static func remove(_ path: String) throws(Errno) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { return }
      throw .current
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      guard unlink(path) == 0 || errno == ENOENT else { throw .current }
      return
    }
    for name in names(in: path) { try remove(path + "/" + name) }
    guard rmdir(path) == 0 || errno == ENOENT else { throw .current }
  }
}
