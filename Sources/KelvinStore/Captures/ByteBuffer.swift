/// Bytes that are written one value after the other into memory that was allocated once.
struct ByteBuffer {
  private(set) var bytes: [UInt8]
  private(set) var count = 0

  /// Room for `capacity` bytes and the 8 that the last packed value may touch beyond its end.
  init(capacity: Int) { bytes = [UInt8](repeating: 0, count: capacity + 8) }

  mutating func removeAll() { count = 0 }

  mutating func append(_ byte: UInt8) {
    bytes[count] = byte
    count += 1
  }

  /// Appends eight bytes, little-endian.
  mutating func append(word: UInt64) {
    let offset = count
    var span = bytes.mutableSpan
    var raw = span.mutableBytes
    raw.storeBytes(of: word.littleEndian, toByteOffset: offset, as: UInt64.self)
    count = offset + 8
  }

  mutating func append(_ number: Double) { append(word: number.bitPattern) }

  /// Appends an unsigned LEB128 integer.
  mutating func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest &>>= 7
    }
    append(UInt8(truncatingIfNeeded: rest))
  }

  /// Appends a signed integer: zigzag, then as an unsigned one.
  mutating func append(signed value: Int64) {
    append(varint: UInt64(bitPattern: (value &<< 1) ^ (value &>> 63)))
  }

  /// Appends the distances of some values from the smallest, each in `width` bytes, little-endian.
  mutating func append(_ values: Span<Int64>, above base: Int64, width: Int) {
    guard width > 0 else { return }
    let start = count
    var span = bytes.mutableSpan
    var raw = span.mutableBytes
    switch width {
    case 1:
      for index in 0..<values.count {
        raw.storeBytes(
          of: UInt8(truncatingIfNeeded: values[index] &- base), toByteOffset: start &+ index,
          as: UInt8.self)
      }
    case 2:
      for index in 0..<values.count {
        raw.storeBytes(
          of: UInt16(truncatingIfNeeded: values[index] &- base).littleEndian,
          toByteOffset: start &+ index &* 2, as: UInt16.self)
      }
    default:
      // The next value overwrites what the one before wrote beyond its width.
      for index in 0..<values.count {
        raw.storeBytes(
          of: UInt64(bitPattern: values[index] &- base).littleEndian,
          toByteOffset: start &+ index &* width, as: UInt64.self)
      }
    }
    count = start + values.count * width
  }

  /// Appends the checksum of all that was written.
  mutating func seal(seed: UInt64) {
    append(word: xxHash64(bytes.span.bytes.extracting(0..<count), seed: seed))
  }

  /// The checksum that ``seal(seed:)`` appended.
  var checksum: UInt64 { bytes.word(at: count - 8) }
}

/// Reads what ``ByteBuffer`` wrote; nil at the end, and for integers of more than ten bytes.
struct ByteReader {
  private let bytes: [UInt8]
  private let end: Int
  private(set) var position = 0

  /// Reads some bytes, those before `end`, or all.
  init(_ bytes: [UInt8], end: Int? = nil) {
    self.bytes = bytes
    self.end = end ?? bytes.count
  }

  var isAtEnd: Bool { position == end }

  @inline(__always)
  mutating func byte() -> UInt8? {
    guard position < end else { return nil }
    defer { position &+= 1 }
    return bytes[position]
  }

  @inline(__always)
  mutating func word() -> UInt64? {
    guard position <= end &- 8 else { return nil }
    defer { position &+= 8 }
    return bytes.word(at: position)
  }

  @inline(__always)
  mutating func number() -> Double? { word().map(Double.init(bitPattern:)) }

  @inline(__always)
  mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < end, shift < 70 {
      let byte = bytes[position]
      position &+= 1
      value |= UInt64(byte & 0x7F) &<< shift
      if byte < 0x80 { return value }
      shift &+= 7
    }
    return nil
  }

  @inline(__always)
  mutating func signed() -> Int64? {
    guard let value = varint() else { return nil }
    return Int64(bitPattern: value &>> 1) ^ -Int64(bitPattern: value & 1)
  }
}

extension [UInt8] {
  /// Eight bytes, little-endian.
  @inline(__always)
  func word(at offset: Int) -> UInt64 {
    UInt64(littleEndian: span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// Whether it ends with the checksum of all before.
  func isSealed(seed: UInt64) -> Bool {
    count >= 8
      && word(at: count - 8) == xxHash64(span.bytes.extracting(0..<count - 8), seed: seed)
  }
}

/// Bytes that the largest of some distances takes.
func byteWidth(_ distance: UInt64) -> Int { (64 - distance.leadingZeroBitCount + 7) / 8 }
