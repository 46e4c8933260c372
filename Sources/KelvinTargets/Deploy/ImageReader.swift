internal import CLinux
internal import Glibc
internal import KelvinModel

/// A file of this host that is read here and there; closed with its last reference.
final class ImageReader {
  let path: String
  let size: Int
  private let descriptor: Int32

  /// - Throws: what is wrong with the file, without its name.
  init(_ path: String) throws(Deployment.Refusal) {
    descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
    self.path = path
    guard descriptor >= 0 else {
      size = 0
      throw Deployment.Refusal(message: "\(path): \(Errno.current)", hint: "")
    }
    var status = stat()
    let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    size = Int(status.st_size)
    guard isFile else {
      throw Deployment.Refusal(message: "\(path): is no regular file", hint: "")
    }
    guard size > 0 else { throw Deployment.Refusal(message: "\(path): is empty", hint: "") }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// So many bytes from an offset on, or as many as there are.
  func bytes(at offset: Int, count: Int) -> [UInt8] {
    guard offset >= 0, offset < size, count > 0 else { return [] }
    let wanted = min(count, size - offset)
    return [UInt8](unsafeUninitializedCapacity: wanted) { buffer, done in
      while done < wanted {
        let count = pread(
          descriptor, buffer.baseAddress?.advanced(by: done), wanted - done,
          off_t(offset) + off_t(done))
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return }
        done += count
      }
    }
  }
}

extension [UInt8] {
  /// A little-endian number of so many bytes, at most 8; nil beyond the end.
  func number(at offset: Int, _ bytes: Int) -> UInt64? {
    guard offset >= 0, bytes <= count, offset <= count - bytes else { return nil }
    var value: UInt64 = 0
    for index in (0..<bytes).reversed() { value = value << 8 | UInt64(self[offset + index]) }
    return value
  }

  /// Text up to a zero byte.
  func text(at offset: Int, limit: Int) -> String {
    guard offset >= 0, offset < count else { return "" }
    return String(decoding: self[offset...].prefix(limit).prefix { $0 != 0 }, as: UTF8.self)
  }
}
