internal import KelvinModel

/// Reads a sparse image, believing nothing: every size is checked against the file and the header,
/// every checksum against the data, before anything is sent to a board.
struct SparseReader {
  private let file: ImageFile
  private var layout = SparseLayout(blockSize: 0, blocks: 0)
  /// Checksums of the data up to a block, as the image has them.
  private var checksums: [(block: UInt32, value: UInt32)] = []
  private var block: UInt32 = 0

  /// More chunks than this are refused: an image of 8 GB in alternating blocks has fewer.
  static let chunkLimit: UInt32 = 1 << 21

  private init(_ file: ImageFile) { self.file = file }

  /// The layout of a sparse image; nil when the file is none.
  static func read(
    _ file: ImageFile, until deadline: Deadline
  ) throws(ImageFailure) -> SparseLayout? {
    var reader = SparseReader(file)
    guard file.size >= 4, SparseFormat.word(try reader.bytes(0, 4), 0) == SparseFormat.magic else {
      return nil
    }
    try reader.readChunks(reader.readHeader(), deadline)
    try reader.verify(deadline)
    return reader.layout
  }

  private mutating func readHeader() throws(ImageFailure) -> SparseFormat.Header {
    guard file.size >= SparseFormat.headerSize,
      let header = SparseFormat.Header(try bytes(0, SparseFormat.headerSize))
    else { throw malformed("it ends within its header") }
    guard header.major == 1 else {
      throw malformed("it is of version \(header.major), known is 1")
    }
    guard header.headerSize >= SparseFormat.headerSize,
      header.chunkHeaderSize >= SparseFormat.chunkHeaderSize
    else {
      throw malformed(
        "headers of \(header.headerSize) and \(header.chunkHeaderSize) bytes, "
          + "\(SparseFormat.headerSize) and \(SparseFormat.chunkHeaderSize) are the least")
    }
    guard header.blockSize > 0, header.blockSize % 4 == 0 else {
      throw malformed("blocks of \(header.blockSize) bytes, which is no multiple of four")
    }
    guard UInt64(header.blockSize) * UInt64(header.blocks) <= 1 << 50 else {
      throw malformed("\(header.blocks) blocks of \(header.blockSize) bytes")
    }
    guard header.chunks <= SparseReader.chunkLimit,
      Int64(header.chunks) * Int64(header.chunkHeaderSize) <= file.size
    else { throw malformed("\(header.chunks) chunks in \(file.size) bytes") }
    layout = SparseLayout(blockSize: header.blockSize, blocks: header.blocks)
    if header.checksum != 0 { checksums.append((header.blocks, header.checksum)) }
    return header
  }

  private mutating func readChunks(
    _ header: SparseFormat.Header, _ deadline: Deadline
  ) throws(ImageFailure) {
    let headerSize = Int64(header.chunkHeaderSize)
    var position = Int64(header.headerSize)
    for number in 0..<header.chunks {
      if number % 4096 == 0 { try check(deadline) }
      let place = "chunk \(number) at byte \(position)"
      guard position + headerSize <= file.size else { throw malformed("it ends before \(place)") }
      let bytes = try bytes(position, SparseFormat.chunkHeaderSize)
      let count = SparseFormat.word(bytes, 4)
      let total = Int64(SparseFormat.word(bytes, 8))
      let payload = try readChunk(
        SparseFormat.short(bytes, 0), count, at: position + headerSize, place)
      guard total == headerSize + payload else {
        throw malformed(
          "\(place): says that it is \(total) bytes long, \(headerSize + payload) are right")
      }
      position += total
    }
    guard block == header.blocks else {
      throw malformed("its chunks are \(block) blocks, its header says \(header.blocks)")
    }
  }

  /// Takes a chunk in.
  ///
  /// - Returns: how many bytes should follow its header.
  private mutating func readChunk(
    _ type: UInt16, _ count: UInt32, at offset: Int64, _ place: String
  ) throws(ImageFailure) -> Int64 {
    // Before anything is multiplied by it.
    guard type == SparseFormat.checksum || count <= layout.blocks - block else {
      throw malformed("\(place): goes beyond the \(layout.blocks) blocks that its header tells")
    }
    let payload: Int64 =
      switch type {
      case SparseFormat.raw: Int64(count) * Int64(layout.blockSize)
      case SparseFormat.fill, SparseFormat.checksum: 4
      case SparseFormat.skip: 0
      default: throw malformed("\(place): unknown type 0x\(String(type, radix: 16))")
      }
    guard offset + payload <= file.size else {
      throw malformed("\(place): goes \(offset + payload - file.size) bytes beyond the file's end")
    }
    if type == SparseFormat.checksum {
      checksums.append((block, SparseFormat.word(try bytes(offset, 4), 0)))
      return payload
    }
    block += count
    guard count > 0 else { return payload }
    switch type {
    case SparseFormat.raw: layout.append(.file(offset: offset), count: count)
    case SparseFormat.fill: layout.append(.fill(try bytes(offset, 4)), count: count)
    default: layout.append(.skip, count: count)
    }
    return payload
  }

  // MARK: checksums

  private func verify(_ deadline: Deadline) throws(ImageFailure) {
    guard !checksums.isEmpty else { return }
    var crc = CRC32()
    var rest = checksums.sorted { $0.block < $1.block }[...]
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    for extent in layout.extents {
      var start = extent.start
      while start < extent.end {
        try settle(&rest, at: start, crc)
        // Up to the next checksum, or the end of the extent.
        let end = min(extent.end, rest.first?.block ?? extent.end)
        try add(extent, start..<end, to: &crc, &buffer, deadline)
        start = end
      }
    }
    try settle(&rest, at: layout.blocks, crc)
  }

  private func settle(
    _ rest: inout ArraySlice<(block: UInt32, value: UInt32)>, at block: UInt32, _ crc: CRC32
  ) throws(ImageFailure) {
    while let next = rest.first, next.block <= block {
      guard next.value == crc.value else {
        throw malformed(
          "the checksum of its first \(next.block) blocks is 0x\(String(crc.value, radix: 16)), "
            + "it says 0x\(String(next.value, radix: 16))")
      }
      rest = rest.dropFirst()
    }
  }

  private func add(
    _ extent: SparseLayout.Extent, _ blocks: Range<UInt32>, to crc: inout CRC32,
    _ buffer: inout [UInt8], _ deadline: Deadline
  ) throws(ImageFailure) {
    let size = Int64(blocks.count) * Int64(layout.blockSize)
    switch extent.content {
    case .skip: crc.add([0, 0, 0, 0], times: UInt64(size / 4))
    case .fill(let word): crc.add(word, times: UInt64(size / 4))
    case .file(let offset):
      var position = offset + Int64(blocks.lowerBound - extent.start) * Int64(layout.blockSize)
      let end = position + size
      while position < end {
        try check(deadline)
        let count = Int(min(Int64(buffer.count), end - position))
        var failure: Errno?
        buffer.withUnsafeMutableBytes { whole in
          let part = UnsafeMutableRawBufferPointer(rebasing: whole[..<count])
          do throws(Errno) {
            try file.read(part, at: position)
            crc.add(UnsafeRawBufferPointer(part))
          } catch { failure = error }
        }
        if let failure { throw ImageFailure(.infrastructure, "\(file.path): \(failure)") }
        position += Int64(count)
      }
    }
  }

  // MARK: parts

  private func check(_ deadline: Deadline) throws(ImageFailure) {
    guard deadline.hasPassed || deadline.isInterrupted else { return }
    throw ImageFailure(
      deadline.isInterrupted ? .infrastructure : .timeout,
      "\(file.path): \(deadline.isInterrupted ? "interrupted" : "no time left") while it was read")
  }

  private func bytes(_ offset: Int64, _ count: Int) throws(ImageFailure) -> [UInt8] {
    do { return try file.bytes(at: offset, count: count) } catch {
      throw ImageFailure(.infrastructure, "\(file.path): \(error)")
    }
  }

  private func malformed(_ problem: String) -> ImageFailure { .malformed(file.path, problem) }
}
