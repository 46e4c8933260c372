/// Android's sparse images, version 1: a header and chunks, all numbers little-endian.
///
/// Source: libsparse/sparse_format.h of the Android Open Source Project.
enum SparseFormat {
  static let magic: UInt32 = 0xed26_ff3a
  static let headerSize = 28
  static let chunkHeaderSize = 12
  static let raw: UInt16 = 0xcac1
  static let fill: UInt16 = 0xcac2
  static let skip: UInt16 = 0xcac3
  static let checksum: UInt16 = 0xcac4

  /// The header of the file.
  struct Header: Sendable, Hashable {
    var major: UInt16
    var headerSize: UInt16
    var chunkHeaderSize: UInt16
    var blockSize: UInt32
    var blocks: UInt32
    var chunks: UInt32
    /// Of the whole expanded image, what is skipped as zeros; 0: not told.
    var checksum: UInt32

    /// Nil when the bytes are fewer than a header's.
    init?(_ bytes: [UInt8]) {
      guard bytes.count >= SparseFormat.headerSize else { return nil }
      major = SparseFormat.short(bytes, 4)
      headerSize = SparseFormat.short(bytes, 8)
      chunkHeaderSize = SparseFormat.short(bytes, 10)
      blockSize = SparseFormat.word(bytes, 12)
      blocks = SparseFormat.word(bytes, 16)
      chunks = SparseFormat.word(bytes, 20)
      checksum = SparseFormat.word(bytes, 24)
    }
  }

  static func header(blockSize: UInt32, blocks: UInt32, chunks: UInt32) -> [UInt8] {
    bytes(magic) + bytes(UInt16(1)) + bytes(UInt16(0)) + bytes(UInt16(headerSize))
      + bytes(UInt16(chunkHeaderSize)) + bytes(blockSize) + bytes(blocks) + bytes(chunks)
      + bytes(UInt32(0))
  }

  /// A chunk's header; `payload` bytes follow it.
  static func chunk(_ type: UInt16, blocks: UInt32, payload: Int64) -> [UInt8] {
    bytes(type) + bytes(UInt16(0)) + bytes(blocks)
      + bytes(UInt32(truncatingIfNeeded: payload + Int64(chunkHeaderSize)))
  }

  static func short(_ bytes: [UInt8], _ offset: Int) -> UInt16 {
    UInt16(bytes[offset]) | UInt16(bytes[offset + 1]) << 8
  }

  static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    UInt32(short(bytes, offset)) | UInt32(short(bytes, offset + 2)) << 16
  }

  private static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }
}
