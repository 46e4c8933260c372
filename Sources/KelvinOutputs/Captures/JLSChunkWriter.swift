/// Appends chunks to a JLS file and links each to the one before of its sort.
struct JLSChunkWriter {
  /// The sorts whose chunks are linked.
  enum Chain: Hashable {
    case sources, signals, userData
    case track(signal: Int, JLSFile.Track, JLSFile.Part, level: Int)
  }

  private struct Header {
    var next: UInt64 = 0
    var previous: UInt64
    var tag: UInt8
    var meta: UInt16
    var length: UInt32
    var previousLength: UInt32

    var bytes: [UInt8] {
      var bytes: [UInt8] = []
      bytes.append(littleEndian: next)
      bytes.append(littleEndian: previous)
      bytes += [tag, 0]
      bytes.append(littleEndian: meta)
      bytes.append(littleEndian: length)
      bytes.append(littleEndian: previousLength)
      bytes.append(littleEndian: CRC32C.of(bytes))
      return bytes
    }
  }

  private let file: ExportFile
  private var last: [Chain: (position: Int, header: Header)] = [:]
  private var lastLength: UInt32 = 0

  /// Begins a file; its length is written when it is complete.
  init(_ file: ExportFile) throws {
    self.file = file
    try file.write(Self.fileHeader(length: 0))
  }

  private static func fileHeader(length: Int) -> [UInt8] {
    var bytes = JLSFile.magic
    bytes.append(littleEndian: UInt64(length))
    bytes.append(littleEndian: JLSFile.version)
    bytes.append(littleEndian: CRC32C.of(bytes))
    return bytes
  }

  /// Where the next chunk will stand.
  var position: Int { file.position }

  /// Appends a chunk; gives its position.
  @discardableResult
  mutating func append(
    _ tag: UInt8, meta: UInt16, _ payload: [UInt8], chain: Chain?
  ) throws -> Int {
    let position = file.position
    var header = Header(
      previous: 0, tag: tag, meta: meta, length: UInt32(payload.count),
      previousLength: lastLength)
    if let chain {
      if var before = last[chain] {
        header.previous = UInt64(before.position)
        before.header.next = UInt64(position)
        try file.patch(before.header.bytes, at: before.position)
      }
      last[chain] = (position, header)
    }
    try file.write(header.bytes)
    try file.write(Self.padded(payload))
    lastLength = UInt32(payload.count)
    return position
  }

  /// Replaces the payload of a chunk by one of the same length.
  func replace(_ payload: [UInt8], at position: Int) throws {
    try file.patch(Self.padded(payload), at: position + 32)
  }

  /// The payload with its checksum, filled so that the next chunk stands at a multiple of 8.
  private static func padded(_ payload: [UInt8]) -> [UInt8] {
    guard !payload.isEmpty else { return [] }
    var bytes = payload
    bytes += repeatElement(0, count: (12 - payload.count % 8) % 8)
    bytes.append(littleEndian: CRC32C.of(payload))
    return bytes
  }

  /// Marks the end; the file is complete.
  mutating func finish() throws {
    try append(JLSFile.Tag.end, meta: 0, [], chain: nil)
    try file.patch(Self.fileHeader(length: file.position), at: 0)
  }
}
