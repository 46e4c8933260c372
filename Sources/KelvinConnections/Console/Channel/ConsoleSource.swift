internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// What a push brings to a board: bytes, or a host file that is read as it goes.
package final class ConsoleSource: ExpressibleByArrayLiteral {
  private let bytes: [UInt8]
  private let path: String
  /// -1: there are ``bytes`` alone.
  private let descriptor: Int32
  /// Bytes that there were at the beginning.
  package let count: Int

  /// Bytes that are there.
  package init(_ bytes: [UInt8]) {
    (self.bytes, path, descriptor, count) = (bytes, "", -1, bytes.count)
  }

  package convenience init(arrayLiteral elements: UInt8...) { self.init(elements) }

  /// A file of this host, or what it links to.
  ///
  /// - Throws: the host's error.
  package init(hostFile path: String) throws(ConnectionFailure) {
    let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw ConnectionFailure(hostFile: path, .current) }
    var status = stat()
    guard fstat(file, &status) == 0 else {
      let error = Errno.current
      close(file)
      throw ConnectionFailure(hostFile: path, error)
    }
    (bytes, self.path, descriptor, count) = ([], path, file, Int(status.st_size))
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Bytes from an offset on: as many as are wanted, fewer only at the end.
  func read(_ wanted: Int, at offset: Int) throws(ConnectionFailure) -> [UInt8] {
    guard descriptor >= 0 else { return Array(bytes.dropFirst(offset).prefix(wanted)) }
    var piece = [UInt8](repeating: 0, count: wanted)
    var filled = 0
    while filled < wanted {
      let got = piece.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress.map { $0 + filled }, wanted - filled, offset + filled)
      }
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else { throw ConnectionFailure(hostFile: path, .current) }
      if got == 0 { break }
      filled += got
    }
    piece.removeLast(wanted - filled)
    return piece
  }

  /// The check of the first bytes, which may be continued.
  func check(
    _ kind: ConsoleCheck, ofFirst count: Int
  ) throws(ConnectionFailure) -> ConsoleCheck.Running {
    var running = ConsoleCheck.Running(kind)
    var offset = 0
    while offset < count,
      case let piece = try read(min(1 << 16, count - offset), at: offset), !piece.isEmpty
    {
      running.update(piece)
      offset += piece.count
    }
    return running
  }
}
