/// Writes a zip archive (PKWARE's APPNOTE.TXT, 6.3): members one after the other, deflated, with
/// sizes below 4 GiB.
///
/// zlib compresses; the container is ours rather than a library's, since what could be had would write
/// from whole files only, and refuses to read what is left of a cut archive.
struct ZipWriter {
  private struct Entry {
    var name: String
    var position: Int
    var crc: UInt32
    var compressed: UInt32
    var size: UInt32
  }

  private let file: ExportFile
  private var entries: [Entry] = []
  private var deflater = Deflater()
  private var crc: UInt = 0
  private var size = 0
  private var dataStart = 0

  init(_ file: ExportFile) { self.file = file }

  /// Begins a member; the one before has ended.
  mutating func begin(_ name: String) throws {
    deflater = Deflater()
    crc = 0
    size = 0
    entries.append(Entry(name: name, position: file.position, crc: 0, compressed: 0, size: 0))
    try file.write(header(entries.count - 1, isLocal: true))
    dataStart = file.position
  }

  /// Appends to the member that was begun.
  mutating func write(_ bytes: [UInt8]) throws {
    crc = checksum32(bytes, after: crc)
    size += bytes.count
    try file.write(deflater.compress(bytes))
  }

  /// Ends the member that was begun.
  mutating func end() throws {
    try file.write(deflater.compress([], isLast: true))
    let compressed = file.position - dataStart
    guard let size = UInt32(exactly: size), let compressed = UInt32(exactly: compressed),
      UInt32(exactly: file.position) != nil
    else {
      throw CaptureFileFailure(
        .notRepresentable, "the capture takes more than 4 GiB in a zip of this format",
        hint: "export a part of it with --job, or as jls")
    }
    let index = entries.count - 1
    entries[index].crc = UInt32(crc)
    entries[index].compressed = compressed
    entries[index].size = size
    try file.patch(header(index, isLocal: true), at: entries[index].position)
  }

  /// Writes a whole member.
  mutating func add(_ name: String, _ bytes: [UInt8]) throws {
    try begin(name)
    try write(bytes)
    try end()
  }

  /// Writes the directory; the archive is complete.
  mutating func finish() throws {
    let start = file.position
    for index in entries.indices { try file.write(header(index, isLocal: false)) }
    var end: [UInt8] = []
    end.append(littleEndian: 0x0605_4B50 as UInt32)
    end.append(littleEndian: 0 as UInt32)
    end.append(littleEndian: UInt16(truncatingIfNeeded: entries.count))
    end.append(littleEndian: UInt16(truncatingIfNeeded: entries.count))
    end.append(littleEndian: UInt32(truncatingIfNeeded: file.position - start))
    end.append(littleEndian: UInt32(truncatingIfNeeded: start))
    end.append(littleEndian: 0 as UInt16)
    try file.write(end)
  }

  private func header(_ index: Int, isLocal: Bool) -> [UInt8] {
    let entry = entries[index]
    var bytes: [UInt8] = []
    bytes.append(littleEndian: (isLocal ? 0x0403_4B50 : 0x0201_4B50) as UInt32)
    if !isLocal { bytes.append(littleEndian: 20 as UInt16) }
    bytes.append(littleEndian: 20 as UInt16)
    bytes.append(littleEndian: 0 as UInt16)
    bytes.append(littleEndian: 8 as UInt16)
    // No time: 1980-01-01 0:00, so that equal captures give equal files.
    bytes.append(littleEndian: 0 as UInt16)
    bytes.append(littleEndian: 0x21 as UInt16)
    bytes.append(littleEndian: entry.crc)
    bytes.append(littleEndian: entry.compressed)
    bytes.append(littleEndian: entry.size)
    bytes.append(littleEndian: UInt16(truncatingIfNeeded: entry.name.utf8.count))
    bytes.append(littleEndian: 0 as UInt16)
    if !isLocal {
      // Comment, disk, internal and external attributes.
      bytes.append(contentsOf: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
      bytes.append(littleEndian: UInt32(truncatingIfNeeded: entry.position))
    }
    return bytes + Array(entry.name.utf8)
  }
}
