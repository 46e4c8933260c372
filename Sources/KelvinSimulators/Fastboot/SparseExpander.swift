internal import Glibc

/// Writes a raw or a sparse image to a partition, as a boot loader does.
///
/// Sparse images (libsparse/sparse_format.h of the Android Open Source Project): 28 bytes of header
/// (magic 0xED26FF3A, version 1.0, sizes of the two headers, block size, blocks, chunks, checksum), then
/// chunks of 12 bytes (type, 0, blocks, bytes with this header) and their data.
struct SparseExpander {
  let source: Int32
  let size: Int64
  let target: Int32
  let room: Int64
  private var position: Int64 = 0

  init(source: Int32, size: Int64, target: Int32, room: Int64) {
    self.source = source
    self.size = size
    self.target = target
    self.room = room
  }

  mutating func run() throws(PartitionFiles.Refusal) {
    guard size >= 28, number(try take(28), 0, 4) == 0xED26_FF3A else {
      guard size <= room else { throw .init(text: "image is larger than the partition") }
      try copy(from: 0, to: 0, size)
      return
    }
    position = 0
    try expand()
  }

  private mutating func expand() throws(PartitionFiles.Refusal) {
    let header = try take(28)
    let (fileHeader, chunkHeader) = (number(header, 8, 2), number(header, 10, 2))
    let (block, blocks, chunks) = (
      number(header, 12, 4), number(header, 16, 4), number(header, 20, 4)
    )
    guard number(header, 4, 2) == 1, fileHeader >= 28, chunkHeader >= 12, block > 0, block % 4 == 0,
      block <= 1 << 28
    else { throw .init(text: "invalid sparse header") }
    guard block * blocks <= room else { throw .init(text: "image is larger than the partition") }
    position = fileHeader
    var done: Int64 = 0
    for _ in 0..<chunks {
      let chunk = try take(12)
      position += chunkHeader - 12
      let bytes = number(chunk, 4, 4) * block
      let payload = number(chunk, 8, 4) - chunkHeader
      guard done + bytes <= block * blocks else { throw .init(text: "chunk beyond the image") }
      switch number(chunk, 0, 2) {
      case 0xCAC1:
        guard payload == bytes else { throw .init(text: "bogus chunk size for chunk type Raw") }
        try copy(from: position, to: done, bytes)
      case 0xCAC2:
        guard payload == 4 else { throw .init(text: "bogus chunk size for chunk type Fill") }
        try fill(try take(4), at: done, bytes)
        position -= 4
      case 0xCAC3:
        guard payload == 0 else { throw .init(text: "bogus chunk size for chunk type Dont Care") }
      case 0xCAC4: break
      default: throw .init(text: "unknown chunk type")
      }
      position += payload
      done += bytes
    }
    guard done == block * blocks else { throw .init(text: "sparse image write failure") }
  }

  private mutating func take(_ count: Int) throws(PartitionFiles.Refusal) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard pread(source, &bytes, count, off_t(position)) == count else {
      throw .init(text: "image ends too early")
    }
    position += Int64(count)
    return bytes
  }

  private func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> Int64 {
    bytes[offset..<offset + count].reversed().reduce(0) { $0 * 256 + Int64($1) }
  }

  private func copy(
    from: Int64, to: Int64, _ count: Int64
  ) throws(PartitionFiles.Refusal) {
    var buffer = [UInt8](repeating: 0, count: Int(min(1 << 20, max(count, 1))))
    var done: Int64 = 0
    while done < count {
      let piece = Int(min(Int64(buffer.count), count - done))
      let got = pread(source, &buffer, piece, off_t(from + done))
      guard got > 0 else { throw .init(text: "image ends too early") }
      guard pwrite(target, buffer, got, off_t(to + done)) == got else {
        throw .init(text: "flash write error")
      }
      done += Int64(got)
    }
  }

  private func fill(
    _ word: [UInt8], at offset: Int64, _ count: Int64
  ) throws(PartitionFiles.Refusal) {
    var buffer: [UInt8] = []
    for _ in 0..<Int(min(16_384, max(1, count / 4))) { buffer += word }
    var done: Int64 = 0
    while done < count {
      let piece = Int(min(Int64(buffer.count), count - done))
      guard pwrite(target, buffer, piece, off_t(offset + done)) == piece else {
        throw .init(text: "flash write error")
      }
      done += Int64(piece)
    }
  }
}
