internal import CLibZstd

// Blocks as schemas before version 5 kept them: a zstd frame with a checksum, whose content is first all
// times, then all codes, as LEB128 variable-length integers after zigzag. Times are differences of
// differences, codes are differences. The first of each counts from 0. Arithmetic wraps.

/// The most samples that such a block may hold, and that one call may append.
let maximumBlockCount = 1 << 20

/// The times and codes of a blob; nil when it is damaged or does not hold `count` samples.
func decompressBlock(_ data: [UInt8], count: Int) -> (times: [Int64], codes: [Int64])? {
  guard count > 0, count <= maximumBlockCount else { return nil }
  let size = ZSTD_getFrameContentSize(data, data.count)
  // The two largest values are errors; a sample takes 2 to 20 bytes.
  guard size >= UInt64(count) * 2, size <= UInt64(count) * 20 else { return nil }
  var raw = [UInt8](repeating: 0, count: Int(size))
  guard ZSTD_decompress(&raw, raw.count, data, data.count) == raw.count else { return nil }
  var reader = ByteReader(raw)
  var times: [Int64] = []
  times.reserveCapacity(count)
  var lastTime: Int64 = 0
  var lastDelta: Int64 = 0
  for _ in 0..<count {
    guard let value = reader.signed() else { return nil }
    lastDelta = lastDelta &+ value
    lastTime = lastTime &+ lastDelta
    times.append(lastTime)
  }
  var codes: [Int64] = []
  codes.reserveCapacity(count)
  var lastCode: Int64 = 0
  for _ in 0..<count {
    guard let value = reader.signed() else { return nil }
    lastCode = lastCode &+ value
    codes.append(lastCode)
  }
  return reader.isAtEnd ? (times, codes) : nil
}
