internal import CLinux
internal import Glibc
internal import KelvinModel

/// A file of this host that is read in pieces, by any thread; closed with its last reference.
final class ImageFile: Sendable {
  let path: String
  /// When it was opened; a file that shrinks afterwards fails to be read.
  let size: Int64
  private let descriptor: Int32

  init(_ path: String) throws(ImageFailure) {
    let failure = { (error: KelvinModel.Errno) in
      ImageFailure(
        error == .notFound || error == .permissionDenied ? .configuration : .infrastructure,
        "\(path): \(error)")
    }
    descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw failure(.current) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let error = Errno.current
      close(descriptor)
      throw failure(error)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw ImageFailure(.configuration, "\(path): is no regular file")
    }
    self.path = path
    size = Int64(status.st_size)
  }

  deinit { close(descriptor) }

  /// Fills a buffer from this offset on.
  ///
  /// - Throws: also when the file ends before.
  func read(
    _ buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(KelvinModel.Errno) {
    var done = 0
    while done < buffer.count {
      let count = pread(
        descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done,
        off_t(offset) + off_t(done))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .current }
      guard count > 0 else { throw .io }
      done += count
    }
  }

  /// So many bytes from this offset on.
  func bytes(at offset: Int64, count: Int) throws(KelvinModel.Errno) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var failure: KelvinModel.Errno?
    bytes.withUnsafeMutableBytes { buffer in
      do throws(KelvinModel.Errno) { try read(buffer, at: offset) } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }
}
