/// Where the elements of a scan lie: each on a multiple of its own size, in the order of their indices,
/// the whole on a multiple of the largest (Linux, drivers/iio/industrialio-buffer.c,
/// iio_compute_scan_bytes).
struct IIOScanLayout: Sendable, Hashable {
  /// What is read out of each scan.
  struct Field: Sendable, Hashable {
    var offset: Int
    var format: IIOElementFormat
  }

  /// One for each element given, in the order given.
  let fields: [Field]
  /// Bytes of a scan.
  let size: Int

  /// Lays elements out. Those with the same index are the same element.
  init(_ elements: [(index: Int, format: IIOElementFormat)]) {
    var fields = elements.map { Field(offset: 0, format: $0.format) }
    var end = 0
    var largest = 1
    var previous: (index: Int, offset: Int)?
    for place in elements.indices.sorted(by: { elements[$0].index < elements[$1].index }) {
      let (index, format) = elements[place]
      if let previous, previous.index == index {
        fields[place].offset = previous.offset
        continue
      }
      let offset = (end + format.size - 1) / format.size * format.size
      fields[place].offset = offset
      end = offset + format.size
      largest = max(largest, format.size)
      previous = (index, offset)
    }
    self.fields = fields
    size = (end + largest - 1) / largest * largest
  }
}

extension IIOScanLayout.Field {
  /// The codes of one of its repeats in whole scans, one after the other.
  ///
  /// - Parameters:
  ///   - bytes: holds `count` scans of `stride` bytes.
  ///   - part: which of its repeats.
  func codes(in bytes: RawSpan, count: Int, stride: Int, part: Int = 0) -> [Int64] {
    let start = offset + part * format.storageBits / 8
    // Checked once: nothing below reads beyond it.
    precondition(
      count >= 0 && bytes.byteCount >= count * stride && start + format.storageBits / 8 <= stride)
    return [Int64](unsafeUninitializedCapacity: count) { codes, used in
      switch format.storageBits {
      case 8: fill(&codes, bytes, count, start, stride, UInt8.self)
      case 16: fill(&codes, bytes, count, start, stride, UInt16.self)
      case 32: fill(&codes, bytes, count, start, stride, UInt32.self)
      case 64: fill(&codes, bytes, count, start, stride, UInt64.self)
      default: fillOdd(&codes, bytes, count, start, stride)
      }
      used = count
    }
  }

  @inline(__always)
  private func fill<Word: FixedWidthInteger & BitwiseCopyable>(
    _ codes: inout UnsafeMutableBufferPointer<Int64>, _ bytes: RawSpan, _ count: Int,
    _ start: Int, _ stride: Int, _ type: Word.Type
  ) {
    let (up, down, isSigned) = (64 - format.bits - format.shift, 64 - format.bits, format.isSigned)
    let isBigEndian = format.isBigEndian
    for scan in 0..<count {
      let stored = bytes.unsafeLoadUnaligned(
        fromUncheckedByteOffset: scan &* stride &+ start, as: type)
      let word = UInt64(
        truncatingIfNeeded: isBigEndian ? Word(bigEndian: stored) : Word(littleEndian: stored))
      let left = word << UInt64(up)
      codes[scan] =
        isSigned
        ? Int64(bitPattern: left) >> Int64(down) : Int64(bitPattern: left >> UInt64(down))
    }
  }

  /// Storage of 3, 5, 6 or 7 bytes, byte by byte.
  private func fillOdd(
    _ codes: inout UnsafeMutableBufferPointer<Int64>, _ bytes: RawSpan, _ count: Int,
    _ start: Int, _ stride: Int
  ) {
    let width = format.storageBits / 8
    let (up, down) = (64 - format.bits - format.shift, 64 - format.bits)
    for scan in 0..<count {
      var word: UInt64 = 0
      for byte in 0..<width {
        let place = format.isBigEndian ? byte : width - 1 - byte
        word =
          word << 8
          | UInt64(bytes.unsafeLoad(fromByteOffset: scan * stride + start + place, as: UInt8.self))
      }
      let left = word << UInt64(up)
      codes[scan] =
        format.isSigned
        ? Int64(bitPattern: left) >> Int64(down) : Int64(bitPattern: left >> UInt64(down))
    }
  }
}
