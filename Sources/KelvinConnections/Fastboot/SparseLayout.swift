/// What an image writes where, in blocks: the content of a sparse image, or a raw image seen as one.
struct SparseLayout: Sendable, Hashable {
  /// A run of blocks that are written in one way.
  struct Extent: Sendable, Hashable {
    enum Content: Sendable, Hashable {
      /// As they stand in the file from this byte on; zeros where the file ends before.
      case file(offset: Int64)
      /// One word of four bytes, as it stands in memory, over and over.
      case fill([UInt8])
      /// Left as they are.
      case skip
    }

    var content: Content
    var start: UInt32
    var count: UInt32
    var end: UInt32 { start + count }
  }

  /// Bytes; a multiple of four.
  var blockSize: UInt32
  var blocks: UInt32
  /// In the order of blocks, without gaps or overlaps.
  var extents: [Extent] = []

  /// Bytes of the partition that the image is about.
  var size: Int64 { Int64(blockSize) * Int64(blocks) }

  /// Appends blocks, joined to those before where they go on in the same way.
  mutating func append(_ content: Extent.Content, count: UInt32) {
    let start = extents.last?.end ?? 0
    if let last = extents.last {
      let continues =
        switch (last.content, content) {
        case (.file(let before), .file(let offset)):
          before + Int64(last.count) * Int64(blockSize) == offset
        default: last.content == content
        }
      if continues {
        extents[extents.count - 1].count += count
        return
      }
    }
    extents.append(Extent(content: content, start: start, count: count))
  }
}
