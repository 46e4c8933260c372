/// ELF notes, for the build id that a linker gives each kernel: what /sys/kernel/notes has, and what
/// stands in kernels' images. Pure; all numbers little-endian.
///
/// Source: elf(5), `Nhdr`; NT_GNU_BUILD_ID is 3, of the owner "GNU".
enum BuildNotes {
  private static let gnu: [UInt8] = [0x47, 0x4E, 0x55, 0]
  /// A SHA-1 has 20 bytes, an MD5 or a UUID 16, an xxhash 8.
  private static let lengths = 8...64

  /// The build id in a sequence of notes, lower-case hex; nil when there is none.
  static func buildID(inNotes notes: [UInt8]) -> String? {
    var offset = 0
    while let name = notes.number(at: offset, 4), let length = notes.number(at: offset + 4, 4),
      let kind = notes.number(at: offset + 8, 4), name <= 4096, length <= 1 << 20
    {
      let nameStart = offset + 12
      let start = nameStart + padded(Int(name))
      let end = start + Int(length)
      guard end <= notes.count else { return nil }
      if kind == 3, name == 4, Array(notes[nameStart..<nameStart + 4]) == gnu,
        lengths.contains(Int(length))
      {
        return hex(notes[start..<end])
      }
      offset = start + padded(Int(length))
    }
    return nil
  }

  /// Every build id that stands in raw bytes, in their order: that of a kernel, and those of what is
  /// linked into it, such as its vDSO.
  static func buildIDs(anywhereIn bytes: [UInt8]) -> [String] {
    var found: [String] = []
    // Type and name; notes are aligned to 4 bytes.
    let mark: [UInt8] = [3, 0, 0, 0] + gnu
    var offset = 8
    bytes.withUnsafeBufferPointer { buffer in
      while offset + 8 <= buffer.count {
        defer { offset += 4 }
        guard buffer[offset] == 3, buffer[offset + 4] == 0x47, buffer[offset + 5] == 0x4E,
          (0..<8).allSatisfy({ buffer[offset + $0] == mark[$0] }),
          bytes.number(at: offset - 8, 4) == 4, let length = bytes.number(at: offset - 4, 4),
          lengths.contains(Int(truncatingIfNeeded: length)),
          offset + 8 + Int(length) <= buffer.count
        else { continue }
        found.append(hex(bytes[(offset + 8)..<(offset + 8 + Int(length))]))
      }
    }
    return found
  }

  private static func padded(_ count: Int) -> Int { (count + 3) & ~3 }

  private static func hex(_ bytes: ArraySlice<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
