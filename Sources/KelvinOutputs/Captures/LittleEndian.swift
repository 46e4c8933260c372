// Numbers as bytes, the least significant first.

extension [UInt8] {
  /// Appends an integer in its own width.
  mutating func append(littleEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  mutating func append(littleEndian value: Double) { append(littleEndian: value.bitPattern) }

  mutating func append(littleEndian value: Float) { append(littleEndian: value.bitPattern) }
}

/// Reads numbers from bytes; what is not there is nil.
struct ByteReader {
  let bytes: ArraySlice<UInt8>
  private(set) var position: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  var remaining: Int { bytes.endIndex - position }

  mutating func skip(_ count: Int) { position += min(count, remaining) }

  mutating func integer<T: FixedWidthInteger>(_ type: T.Type = T.self) -> T? {
    let size = T.bitWidth / 8
    guard remaining >= size else { return nil }
    let value = bytes.withUnsafeBytes {
      $0.loadUnaligned(fromByteOffset: position - bytes.startIndex, as: T.self)
    }
    position += size
    return T(littleEndian: value)
  }

  mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard count >= 0, remaining >= count else { return nil }
    defer { position += count }
    return bytes[position..<position + count]
  }
}
