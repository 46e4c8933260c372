/// How the pages of a kernel's trace ring buffer are laid out, as its events/header_page says.
struct RingBufferLayout: Sendable, Hashable {
  /// Where a page says how many bytes of its data are used; the upper bits are flags.
  let commitOffset: Int
  /// 4 on a 32-bit kernel, 8 on a 64-bit one.
  let commitSize: Int
  let dataOffset: Int
  let dataSize: Int
  let isBigEndian: Bool

  /// Bytes of a page: also of what one read(2) of trace_pipe_raw gives.
  var pageSize: Int { dataOffset + dataSize }

  /// Reads the kernel's text: a line for each field, `field: TYPE NAME; offset:N; size:N; signed:N;`.
  ///
  /// Nil when the text is none of this kind, or when no page can be like this.
  init?(headerPage text: [UInt8], isBigEndian: Bool = false) {
    var fields: [String: (offset: Int, size: Int)] = [:]
    for line in KernelText(text) {
      let parts = line.split(separator: UInt8(ascii: ";")).map { KernelText.string($0) }
      guard parts.count >= 3, parts[0].hasPrefix("field:"),
        let name = parts[0].split(separator: " ").last,
        let offset = RingBufferLayout.number(parts[1], after: "offset:"),
        let size = RingBufferLayout.number(parts[2], after: "size:")
      else { continue }
      fields[String(name)] = (offset, size)
    }
    guard let commit = fields["commit"], let data = fields["data"],
      commit.size == 4 || commit.size == 8, (0...64).contains(commit.offset),
      (commit.offset + commit.size...128).contains(data.offset),
      (256...RingBufferLayout.maxPageSize).contains(data.size)
    else { return nil }
    let size = data.offset + data.size
    // trace-cmd maps pages into memory, so a page begins at a multiple of its size.
    guard size <= RingBufferLayout.maxPageSize, size & (size - 1) == 0 else { return nil }
    (commitOffset, commitSize) = (commit.offset, commit.size)
    (dataOffset, dataSize) = (data.offset, data.size)
    self.isBigEndian = isBigEndian
  }

  /// The kernel's sub-buffers are at most 128 pages of at most 64 KiB.
  private static let maxPageSize = 8 << 20

  private static func number(_ text: String, after prefix: String) -> Int? {
    text.hasPrefix(prefix) ? Int(text.dropFirst(prefix.count)) : nil
  }

  /// The most events that a page can hold: each has a head of 4 bytes and at least 4 bytes of data.
  var maxEvents: Int { dataSize / 8 }

  /// A number of 4 bytes.
  func word(_ bytes: ArraySlice<UInt8>, at offset: Int) -> UInt32 {
    let begin = bytes.startIndex + offset
    var value: UInt32 = 0
    for index in 0..<4 {
      let byte = UInt32(bytes[begin + index])
      value |= byte << UInt32(8 * (isBigEndian ? 3 - index : index))
    }
    return value
  }

  /// A number of the size of the kernel's `long`.
  func long(_ bytes: ArraySlice<UInt8>, at offset: Int) -> UInt64 {
    let first = UInt64(word(bytes, at: offset))
    guard commitSize == 8 else { return first }
    let second = UInt64(word(bytes, at: offset + 4))
    return isBigEndian ? first << 32 | second : second << 32 | first
  }
}
