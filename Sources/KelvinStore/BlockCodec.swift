internal import CLibZstd
internal import KelvinModel

// How a block of samples becomes a blob: a zstd frame with a checksum, whose content is first all
// times, then all codes, as LEB128 variable-length integers after zigzag. Times are differences of
// differences, so that a steady period costs a byte a sample; codes are differences. The first of
// each counts from 0. Arithmetic wraps.

/// The most samples that a block may hold.
let maximumBlockCount = 1 << 20

/// Compresses blocks; used by one thread at a time.
final class BlockCompressor {
  private let context: OpaquePointer?
  private var raw: [UInt8] = []
  private var compressed: [UInt8] = []

  init() {
    context = ZSTD_createCCtx()
    // Level 1: on deltas, higher ones take several times longer for a few percent.
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1)
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
  }

  deinit { ZSTD_freeCCtx(context) }

  /// The blob of a block whose times and codes are equally many.
  func compress(_ block: SampleBlock) throws(StoreFailure) -> [UInt8] {
    let count = block.times.count
    raw.removeAll(keepingCapacity: true)
    raw.reserveCapacity(count * 6)
    var lastTime: Int64 = 0
    var lastDelta: Int64 = 0
    for time in block.times.array {
      let delta = time &- lastTime
      append(delta &- lastDelta)
      lastTime = time
      lastDelta = delta
    }
    var lastCode: Int64 = 0
    for code in block.codes {
      append(code &- lastCode)
      lastCode = code
    }
    let bound = ZSTD_compressBound(raw.count)
    if compressed.count < bound { compressed = [UInt8](repeating: 0, count: bound) }
    let size = ZSTD_compress2(context, &compressed, compressed.count, raw, raw.count)
    guard ZSTD_isError(size) == 0 else {
      throw StoreFailure(
        .system, path: "zstd", "a block could not be compressed",
        evidence: String(cString: ZSTD_getErrorName(size)))
    }
    return Array(compressed[..<size])
  }

  private func append(_ value: Int64) {
    var rest = UInt64(bitPattern: (value << 1) ^ (value >> 63))
    while rest >= 0x80 {
      raw.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    raw.append(UInt8(truncatingIfNeeded: rest))
  }
}

/// The times and codes of a blob that ``BlockCompressor`` made; nil when it is damaged or does not
/// hold `count` samples.
func decompressBlock(_ data: [UInt8], count: Int) -> (times: [Int64], codes: [Int64])? {
  guard count > 0, count <= maximumBlockCount else { return nil }
  let size = ZSTD_getFrameContentSize(data, data.count)
  // The two largest values are errors; a sample takes 2 to 20 bytes.
  guard size >= UInt64(count) * 2, size <= UInt64(count) * 20 else { return nil }
  var raw = [UInt8](repeating: 0, count: Int(size))
  guard ZSTD_decompress(&raw, raw.count, data, data.count) == raw.count else { return nil }
  var reader = VarintReader(bytes: raw)
  var times: [Int64] = []
  times.reserveCapacity(count)
  var lastTime: Int64 = 0
  var lastDelta: Int64 = 0
  for _ in 0..<count {
    guard let value = reader.next() else { return nil }
    lastDelta = lastDelta &+ value
    lastTime = lastTime &+ lastDelta
    times.append(lastTime)
  }
  var codes: [Int64] = []
  codes.reserveCapacity(count)
  var lastCode: Int64 = 0
  for _ in 0..<count {
    guard let value = reader.next() else { return nil }
    lastCode = lastCode &+ value
    codes.append(lastCode)
  }
  return reader.isAtEnd ? (times, codes) : nil
}

private struct VarintReader {
  let bytes: [UInt8]
  var position = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  /// The next integer; nil at the end, or when it takes more than ten bytes.
  mutating func next() -> Int64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < bytes.count, shift < 70 {
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }
      shift += 7
    }
    return nil
  }
}

/// What the columns beside a block's blob say about it.
struct BlockSummary {
  var first: Int64
  var last: Int64
  var min: Int64
  var max: Int64
  var mean: Double

  /// Summarizes a block; nil when it is empty, too large, or its times do not ascend or are not as
  /// many as its codes.
  init?(_ block: SampleBlock) {
    guard block.times.count == block.codes.count, block.times.count <= maximumBlockCount,
      let first = block.times.first, let code = block.codes.first
    else { return nil }
    self.first = first
    last = first
    min = code
    max = code
    var sum = 0.0
    for index in 0..<block.times.count {
      guard block.times[index] >= last else { return nil }
      last = block.times[index]
      let code = block.codes[index]
      min = Swift.min(min, code)
      max = Swift.max(max, code)
      sum += Double(code)
    }
    mean = sum / Double(block.times.count)
  }
}
