public import KelvinModel

/// A file that may be flashed: raw, or a sparse image that was checked from end to end.
public struct FlashImage: Sendable {
  let file: ImageFile
  /// Nil for a raw image.
  let sparse: SparseLayout?

  public var path: String { file.path }
  /// Bytes of the file.
  public var size: Int64 { file.size }
  /// Bytes of the partition that it is about.
  public var expandedSize: Int64 { sparse?.size ?? file.size }
  /// Whether it is an Android sparse image.
  public var isSparse: Bool { sparse != nil }

  /// Opens a file, and reads all of a sparse image that has checksums.
  ///
  /// - Throws: ``ImageFailure``: not there, empty, or a sparse image that breaks the format's rules.
  public init(_ path: String, until deadline: Deadline) throws(ImageFailure) {
    file = try ImageFile(path)
    guard file.size > 0 else { throw ImageFailure(.configuration, "\(path): is empty") }
    sparse = try SparseReader.read(file, until: deadline)
  }

  /// What is downloaded one after the other, to be flashed each before the next comes.
  ///
  /// - Parameter limit: bytes of one download; nil: as many as the protocol can tell.
  func parts(
    limit: Int64?, until deadline: Deadline
  ) throws(ConnectionFailure) -> [SparsePart] {
    let limit = min(limit ?? .max, Int64(UInt32.max))
    if size <= limit { return [SparsePart([.file(offset: 0, count: size)])] }
    let layout: SparseLayout
    if let sparse { layout = sparse } else { layout = try RawScanner.scan(file, until: deadline) }
    guard let parts = SparsePart.split(layout, fileSize: size, limit: limit) else {
      throw ConnectionFailure(
        .unsupported,
        "\(path): blocks of \(layout.blockSize) bytes do not fit into downloads of \(limit)")
    }
    return parts
  }
}
