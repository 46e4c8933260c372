internal import Glibc
internal import KelvinModel

/// Sees a raw image as a sparse one: blocks of one repeated word become fills, which cost nothing to
/// send. Nothing is skipped: zeros of a raw image are to be written.
enum RawScanner {
  /// As libsparse and boot loaders have it.
  static let blockSize = 4096

  /// Goes through the file once. An image whose last block is not whole is filled up with zeros.
  ///
  /// - Throws: `hostFile`, `timedOut`, `interrupted`.
  static func scan(
    _ file: ImageFile, until deadline: Deadline
  ) throws(ConnectionFailure) -> SparseLayout {
    let blocks = (file.size + Int64(blockSize) - 1) / Int64(blockSize)
    guard let count = UInt32(exactly: blocks) else {
      throw ConnectionFailure(.unsupported, "\(file.path): is too large for a sparse image")
    }
    var layout = SparseLayout(blockSize: UInt32(blockSize), blocks: count)
    var buffer = [UInt8](repeating: 0, count: 256 * blockSize)
    var position: Int64 = 0
    while position < file.size {
      if deadline.hasPassed || deadline.isInterrupted {
        throw deadline.isInterrupted
          ? ConnectionFailure(.interrupted, "\(file.path): interrupted while it was read")
          : ConnectionFailure(.timedOut, "\(file.path): no time left while it was read")
      }
      let size = Int(min(Int64(buffer.count), file.size - position))
      var failure: KelvinModel.Errno?
      buffer.withUnsafeMutableBytes { whole in
        do throws(KelvinModel.Errno) {
          try file.read(UnsafeMutableRawBufferPointer(rebasing: whole[..<size]), at: position)
        } catch {
          failure = error
          return
        }
        let padded = (size + blockSize - 1) / blockSize * blockSize
        for index in size..<padded { whole[index] = 0 }
        for start in stride(from: 0, to: padded, by: blockSize) {
          let block = UnsafeRawBufferPointer(rebasing: whole[start..<start + blockSize])
          layout.append(
            word(of: block).map { .fill($0) } ?? .file(offset: position + Int64(start)), count: 1)
        }
      }
      if let failure { throw ConnectionFailure(.hostFile(failure), "\(file.path): \(failure)") }
      position += Int64(size)
    }
    return layout
  }

  /// The word that a block repeats; nil when it has more to say.
  private static func word(of block: UnsafeRawBufferPointer) -> [UInt8]? {
    guard let base = block.baseAddress, memcmp(base, base + 4, block.count - 4) == 0 else {
      return nil
    }
    return Array(block[..<4])
  }
}
