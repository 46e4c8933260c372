/// One download: a sparse image of some of a partition's blocks, or a whole file as it is.
struct SparsePart: Sendable, Hashable {
  /// In the order in which they are sent.
  enum Piece: Sendable, Hashable {
    case bytes([UInt8])
    case file(offset: Int64, count: Int64)
    case zeros(Int64)

    var count: Int64 {
      switch self {
      case .bytes(let bytes): Int64(bytes.count)
      case .file(_, let count), .zeros(let count): count
      }
    }
  }

  private(set) var pieces: [Piece]
  /// Of all pieces.
  private(set) var byteCount: Int64

  init(_ pieces: [Piece]) {
    self.pieces = pieces
    byteCount = pieces.reduce(0) { $0 + $1.count }
  }

  /// Splits a layout into sparse images that are no larger than `limit` bytes, each about the whole
  /// partition, with what the others write skipped.
  ///
  /// - Parameter fileSize: where the file ends that the layout's blocks stand in.
  /// - Returns: nil when not even one block fits.
  static func split(_ layout: SparseLayout, fileSize: Int64, limit: Int64) -> [SparsePart]? {
    var parts: [SparsePart] = []
    var builder = Builder(layout: layout, fileSize: fileSize, limit: limit)
    for extent in layout.extents where extent.content != .skip {
      var rest = extent
      while rest.count > 0 {
        var taken = builder.take(rest)
        if taken == 0 {
          guard !builder.isEmpty else { return nil }
          parts.append(builder.finish())
          builder = Builder(layout: layout, fileSize: fileSize, limit: limit)
          taken = builder.take(rest)
          guard taken > 0 else { return nil }
        }
        if case .file(let offset) = rest.content {
          rest.content = .file(offset: offset + Int64(taken) * Int64(layout.blockSize))
        }
        rest.start += taken
        rest.count -= taken
      }
    }
    if !builder.isEmpty || parts.isEmpty { parts.append(builder.finish()) }
    return parts
  }

  private struct Builder {
    let layout: SparseLayout
    let fileSize: Int64
    let limit: Int64
    private var chunks: [Piece] = []
    private var chunkCount: UInt32 = 0
    private var block: UInt32 = 0
    /// With the header, and what skips to the end.
    private var used = Int64(SparseFormat.headerSize + SparseFormat.chunkHeaderSize)

    var isEmpty: Bool { chunkCount == 0 }

    init(layout: SparseLayout, fileSize: Int64, limit: Int64) {
      self.layout = layout
      self.fileSize = fileSize
      self.limit = limit
    }

    /// Takes as many blocks of an extent as fit.
    mutating func take(_ extent: SparseLayout.Extent) -> UInt32 {
      let header = Int64(SparseFormat.chunkHeaderSize)
      let room = limit - used - header - (extent.start > block ? header : 0)
      let size = Int64(layout.blockSize)
      switch extent.content {
      case .skip: return extent.count
      case .fill(let word):
        guard room >= 4 else { return 0 }
        skip(to: extent.start)
        append(SparseFormat.fill, extent.count, [.bytes(word)])
        return extent.count
      case .file(let offset):
        let count = UInt32(clamping: min(Int64(extent.count), room / size))
        guard room >= size, count > 0 else { return 0 }
        skip(to: extent.start)
        let whole = Int64(count) * size
        let there = min(whole, max(0, fileSize - offset))
        append(
          SparseFormat.raw, count,
          [.file(offset: offset, count: there)] + (there < whole ? [.zeros(whole - there)] : []))
        return count
      }
    }

    private mutating func skip(to start: UInt32) {
      if start > block { append(SparseFormat.skip, start - block, []) }
    }

    private mutating func append(_ type: UInt16, _ count: UInt32, _ payload: [Piece]) {
      let size = payload.reduce(0) { $0 + $1.count }
      chunks.append(.bytes(SparseFormat.chunk(type, blocks: count, payload: size)))
      chunks += payload
      chunkCount += 1
      block += count
      used += Int64(SparseFormat.chunkHeaderSize) + size
    }

    mutating func finish() -> SparsePart {
      skip(to: layout.blocks)
      let header = SparseFormat.header(
        blockSize: layout.blockSize, blocks: layout.blocks, chunks: chunkCount)
      return SparsePart([.bytes(header)] + chunks)
    }
  }
}
