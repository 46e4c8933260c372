internal import CLinux
internal import Glibc
public import KelvinModel

/// Files in the run directory, on the host.
public enum HostFile {
  /// Makes a directory and those above it; one that exists is fine.
  public static func makeDirectories(_ path: String) throws(PlainFailure) {
    if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
      throw PlainFailure(.infrastructure, "\(path): cannot be made: \(Errno.current)")
    }
    try makeDirectories(String(path[..<slash]))
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
      throw PlainFailure(.infrastructure, "\(path): cannot be made: \(Errno.current)")
    }
  }

  /// Writes a whole file.
  public static func write(_ bytes: [UInt8], to path: String) throws(PlainFailure) {
    let descriptor = kelvin_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw PlainFailure(.infrastructure, "\(path): \(Errno.current)")
    }
    defer { close(descriptor) }
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), bytes.count - offset)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw PlainFailure(.infrastructure, "\(path): \(Errno.current)")
      }
      offset += count
    }
  }

  /// Reads a whole file of at most `limit` bytes; what is beyond is left out.
  public static func read(_ path: String, limit: Int = 64 << 20) throws(PlainFailure) -> [UInt8] {
    let descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else {
      throw PlainFailure(.infrastructure, "\(path): \(Errno.current)")
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while bytes.count < limit {
      let count = Glibc.read(descriptor, &buffer, min(buffer.count, limit - bytes.count))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else {
        throw PlainFailure(.infrastructure, "\(path): \(Errno.current)")
      }
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    return bytes
  }
}
