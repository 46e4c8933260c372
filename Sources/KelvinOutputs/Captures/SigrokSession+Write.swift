internal import KelvinModel

/// Captures as sigrok session files, `.sr`, for PulseView and sigrok-cli.
///
/// A zip with `version` (2), `metadata` (an INI file), logic samples in `logic-1-1`, `logic-1-2`, ...,
/// one byte for eight channels, and analog samples in `analog-1-INDEX-1`, ..., single floats; all
/// channels have one rate (libsigrok, src/session_file.c and src/output/srzip.c). A member
/// `kelvin.json`, which sigrok does not look at, keeps what the format has no place for.
public enum SigrokSession {
  /// Samples in one member.
  static let chunk = 1 << 20
  /// Members of the shape of logic samples: a set bit is a level that was not sampled.
  static let heldPrefix = "kelvin-held-"

  /// Writes a capture.
  ///
  /// - Returns: what the file does not hold of the capture, for a person.
  /// - Throws: ``CaptureFileFailure`` when the samples have no common rate; what the source's walk
  ///   throws; ``OutputFailure``.
  public static func write(_ source: CaptureSource, to file: ExportFile) throws -> [String] {
    let logic = source.channels.indices.filter { source.channels[$0].kind == .logic }
    let analog = source.channels.indices.filter { source.channels[$0].kind != .logic }
    guard let grid = try SampleGrid.find(source, channels: logic + analog) else {
      throw CaptureFileFailure(
        .notRepresentable, "the channels have no common rate, which sigrok's format wants",
        hint: "export as csv or jls")
    }
    var zip = ZipWriter(file)
    try zip.add("version", Array("2".utf8))
    var metadata = "[global]\nsigrok version=0.5.2\n\n[device 1]\n"
    if !logic.isEmpty { metadata += "capturefile=logic-1\ntotal probes=\(logic.count)\n" }
    metadata += "samplerate=\(grid.rate) Hz\n"
    if !analog.isEmpty { metadata += "total analog=\(analog.count)\n" }
    for (number, index) in logic.enumerated() {
      metadata += "probe\(number + 1)=\(source.channels[index].name.oneLine)\n"
    }
    for (number, index) in analog.enumerated() {
      metadata += "analog\(logic.count + number + 1)=\(Self.name(source.channels[index]))\n"
    }
    let unitSize = (logic.count + 7) / 8
    if !logic.isEmpty { metadata += "unitsize=\(unitSize)\n" }
    try zip.add("metadata", Array(metadata.utf8))
    let header = CaptureHeader.text(
      source, adding: ["start": .integer(grid.origin), "order": order(logic + analog)])
    try zip.add("kelvin.json", Array(header.utf8))
    var notes = grid.deviation > 1 ? ["times changed by up to \(grid.deviation) ns"] : []
    if !logic.isEmpty { try write(logic, source, grid, unitSize, &zip, &notes) }
    var isRounded = false
    for (number, index) in analog.enumerated() {
      var reader = try GridReader(source, channel: index, grid: grid)
      for (chunk, start) in stride(from: 0, to: grid.count, by: Self.chunk).enumerated() {
        try zip.begin("analog-1-\(logic.count + number + 1)-\(chunk + 1)")
        var bytes: [UInt8] = []
        for value in try reader.next(min(Self.chunk, grid.count - start)) {
          bytes.append(littleEndian: Float(value))
          isRounded = isRounded || Double(Float(value)) != value && !value.isNaN
        }
        try zip.write(bytes)
        try zip.end()
      }
    }
    if isRounded { notes.append("analog values were rounded to single precision") }
    try zip.finish()
    return notes
  }

  private static func order(_ channels: [Int]) -> Value {
    .list(channels.map { .integer(Int64($0)) })
  }

  /// sigrok keeps no units in files.
  private static func name(_ channel: Channel) -> String {
    (channel.unit.isEmpty ? channel.name : "\(channel.name) [\(channel.unit)]").oneLine
  }

  private static func write(
    _ logic: [Int], _ source: CaptureSource, _ grid: SampleGrid, _ unitSize: Int,
    _ zip: inout ZipWriter, _ notes: inout [String]
  ) throws {
    var readers = try logic.map { try GridReader(source, channel: $0, grid: grid) }
    var last = [Bool](repeating: false, count: logic.count)
    let isMissing = try logic.contains { index in
      var count = 0
      try source.forEachBlock(index) { count += $0.codes.count }
      return count < grid.count
    }
    for (chunk, start) in stride(from: 0, to: grid.count, by: Self.chunk).enumerated() {
      let count = min(Self.chunk, grid.count - start)
      var bytes = [UInt8](repeating: 0, count: count * unitSize)
      var held = bytes
      for bit in readers.indices {
        for (place, value) in try readers[bit].next(count).enumerated() {
          let byte = place * unitSize + bit / 8
          let mask = 1 << UInt8(bit % 8) as UInt8
          if value.isNaN { held[byte] |= mask } else { last[bit] = value != 0 }
          if last[bit] { bytes[byte] |= mask }
        }
      }
      // First, so that a file that is cut has it for the levels that it still has.
      if isMissing { try zip.add("\(heldPrefix)\(chunk + 1)", held) }
      try zip.add("logic-1-\(chunk + 1)", bytes)
    }
    if isMissing { notes.append("in gaps of logic channels their last level stands") }
  }
}
