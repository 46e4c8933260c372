internal import CLinux
internal import Glibc
internal import KelvinModel

/// A file of the host that goes into U-Boot's memory.
package struct UBootFile: Sendable, Hashable {
  package let path: String
  package let size: Int64
  /// As U-Boot's `crc32` counts.
  package let checksum: UInt32

  /// Reads a file through.
  ///
  /// - Throws: `hostFile` when it cannot be read; `unsupported` when it is empty, or no file, or larger
  ///   than YMODEM and U-Boot's `crc32` can tell.
  package init(_ path: String) throws(ConnectionFailure) {
    self.path = path
    let descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw ConnectionFailure(hostFile: path, .current) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw ConnectionFailure(hostFile: path, .current) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ConnectionFailure(.unsupported, "\(path): it is not a regular file")
    }
    guard status.st_size > 0, status.st_size <= Int64(UInt32.max) >> 1 else {
      throw ConnectionFailure(
        .unsupported,
        "\(path): a file of \(status.st_size) bytes cannot be loaded by YMODEM; it takes 1 byte to "
          + "2 GiB")
    }
    var crc = CRC32()
    var total: Int64 = 0
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw ConnectionFailure(hostFile: path, .current) }
      guard count > 0 else { break }
      buffer.withUnsafeBytes { crc.add(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      total += Int64(count)
    }
    guard total == status.st_size else {
      throw ConnectionFailure(.unsupported, "\(path): it changes while it is read")
    }
    (size, checksum) = (total, crc.value)
  }
}
