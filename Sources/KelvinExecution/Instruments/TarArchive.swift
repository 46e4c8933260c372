/// Builds a tar archive in memory: POSIX ustar headers, with a pax header where a name does not fit
/// one (POSIX.1-2017, pax: "ustar Interchange Format" and "pax Interchange Format").
///
/// Regular files only, mode 0644, owner root, so that equal content gives equal bytes but for the
/// time.
struct TarArchive {
  private(set) var bytes: [UInt8] = []
  private let modificationTime: UInt64

  /// Starts an archive.
  ///
  /// - Parameter modificationTime: of every member, in seconds since 1970 UTC.
  init(modificationTime: Int64) { self.modificationTime = UInt64(max(0, modificationTime)) }

  /// Appends a file; its name is made relative, and steps out of the archive (`..`) are dropped.
  mutating func append(_ name: String, _ content: [UInt8]) {
    let parts = name.split(separator: "/").filter { $0 != "." && $0 != ".." && !$0.isEmpty }
    let path = Array(parts.joined(separator: "/").utf8).filter { $0 != 0 }
    if let (prefix, rest) = TarArchive.split(path) {
      header(name: rest, prefix: prefix, size: content.count, type: "0")
    } else {
      let record = TarArchive.paxRecord("path", path)
      header(name: Array("pax".utf8), prefix: [], size: record.count, type: "x")
      append(padded: record)
      header(name: Array(path.suffix(100)), prefix: [], size: content.count, type: "0")
    }
    append(padded: content)
  }

  /// The archive with its end: two empty blocks, filled up to a record of 10 KiB.
  consuming func finished() -> [UInt8] {
    bytes += [UInt8](repeating: 0, count: 1024)
    bytes += [UInt8](repeating: 0, count: (10_240 - bytes.count % 10_240) % 10_240)
    return bytes
  }

  private mutating func append(padded content: [UInt8]) {
    bytes += content
    bytes += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
  }

  private mutating func header(name: [UInt8], prefix: [UInt8], size: Int, type: Unicode.Scalar) {
    var block = [UInt8](repeating: 0, count: 512)
    func put(_ value: some Collection<UInt8>, at offset: Int) {
      for (index, byte) in value.enumerated() { block[offset + index] = byte }
    }
    func put(octal value: UInt64, digits: Int, at offset: Int) {
      let text = String(value, radix: 8)
      put((String(repeating: "0", count: max(0, digits - text.count)) + text).utf8, at: offset)
    }
    put(name, at: 0)
    put(octal: 0o644, digits: 7, at: 100)
    put(octal: 0, digits: 7, at: 108)
    put(octal: 0, digits: 7, at: 116)
    put(octal: UInt64(size), digits: 11, at: 124)
    put(octal: min(modificationTime, 0o77777777777), digits: 11, at: 136)
    put("        ".utf8, at: 148)
    block[156] = UInt8(truncatingIfNeeded: type.value)
    put("ustar\u{0}00".utf8, at: 257)
    put("root".utf8, at: 265)
    put("root".utf8, at: 297)
    put(prefix, at: 345)
    let sum = block.reduce(UInt64(0)) { $0 + UInt64($1) }
    put(octal: sum, digits: 6, at: 148)
    block[154] = 0
    bytes += block
  }

  /// A path as ustar's prefix and name; nil when it does not fit, or is not plain ASCII.
  private static func split(_ path: [UInt8]) -> (prefix: [UInt8], name: [UInt8])? {
    guard path.allSatisfy({ $0 < 128 }) else { return nil }
    if path.count <= 100 { return ([], path) }
    for slash in path.indices where path[slash] == UInt8(ascii: "/") {
      if slash <= 155, path.count - slash - 1 <= 100, slash + 1 < path.count {
        return (Array(path[..<slash]), Array(path[(slash + 1)...]))
      }
    }
    return nil
  }

  /// `LENGTH KEY=VALUE\n`, where the length counts itself.
  private static func paxRecord(_ key: String, _ value: [UInt8]) -> [UInt8] {
    let rest = Array(" \(key)=".utf8) + value + [UInt8(ascii: "\n")]
    var length = rest.count + 1
    while "\(length)".utf8.count + rest.count != length { length += 1 }
    return Array("\(length)".utf8) + rest
  }
}
