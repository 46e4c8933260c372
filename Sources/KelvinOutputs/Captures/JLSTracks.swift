/// Where the first chunk of each level of a track stands, which its HEAD chunk says.
struct JLSTrackHead {
  let signal: Int
  let track: JLSFile.Track
  private let position: Int
  private var offsets = [UInt64](repeating: 0, count: 16)

  /// Declares the track and leaves room for its offsets.
  init(signal: Int, track: JLSFile.Track, _ file: inout JLSChunkWriter) throws {
    self.signal = signal
    self.track = track
    let meta = UInt16(signal)
    try file.append(JLSFile.Tag.track(track, .definition), meta: meta, [], chain: .signals)
    position = try file.append(
      JLSFile.Tag.track(track, .head), meta: meta, [UInt8](repeating: 0, count: 128),
      chain: .signals)
  }

  /// Appends a chunk of the track; gives its position.
  @discardableResult
  mutating func append(
    _ part: JLSFile.Part, level: Int, _ payload: [UInt8], _ file: inout JLSChunkWriter
  ) throws -> Int {
    let place = try file.append(
      JLSFile.Tag.track(track, part), meta: UInt16(signal | level << 12), payload,
      chain: .track(signal: signal, track, part, level: level))
    if part != .summary, offsets[level] == 0 { offsets[level] = UInt64(place) }
    return place
  }

  /// Writes the offsets into the room that was left for them.
  func finish(_ file: inout JLSChunkWriter) throws {
    var bytes: [UInt8] = []
    for offset in offsets { bytes.append(littleEndian: offset) }
    try file.replace(bytes, at: position)
  }
}

/// The head of a payload: time or number of the first entry, how many entries, and their size.
func jlsPayload(first: Int64, count: Int, bits: Int) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.append(littleEndian: first)
  bytes.append(littleEndian: UInt32(count))
  bytes.append(littleEndian: UInt16(bits))
  bytes.append(littleEndian: 0 as UInt16)
  return bytes
}

/// Samples at a fixed rate, with their summaries.
struct JLSSampleTrack {
  private struct Entry {
    var mean: Double
    var deviation: Double
    var min: Double
    var max: Double
  }

  private struct Level {
    var firstIndexed: Int64 = 0
    var offsets: [Int] = []
    var entries: [Entry] = []
  }

  private var head: JLSTrackHead
  private var values: [Double] = []
  private var first: Int64 = 0
  private var levels = [Level](repeating: Level(), count: 16)

  /// 32 or 64: of a sample, and of a number in summaries.
  private let bits: Int

  init(_ head: JLSTrackHead, bits: Int) {
    self.head = head
    self.bits = bits
  }

  private func append(_ value: Double, to bytes: inout [UInt8]) {
    if bits == 32 {
      bytes.append(littleEndian: Float(value))
    } else {
      bytes.append(littleEndian: value)
    }
  }

  mutating func append(_ value: Double, _ file: inout JLSChunkWriter) throws {
    values.append(value)
    if values.count == JLSFile.samplesPerChunk { try flush(&file) }
  }

  private mutating func flush(_ file: inout JLSChunkWriter) throws {
    guard !values.isEmpty else { return }
    var payload = jlsPayload(first: first, count: values.count, bits: bits)
    payload.reserveCapacity(16 + values.count * bits / 8)
    for value in values { append(value, to: &payload) }
    let position = try head.append(.data, level: 0, payload, &file)
    if levels[1].offsets.isEmpty { levels[1].firstIndexed = first }
    levels[1].offsets.append(position)
    let size = JLSFile.samplesPerEntry
    // What is left over has no entry, as in the library's own files.
    for start in stride(from: 0, to: values.count - size + 1, by: size) {
      levels[1].entries.append(Self.entry(values[start..<start + size]))
    }
    first += Int64(values.count)
    values.removeAll(keepingCapacity: true)
    if levels[1].entries.count >= JLSFile.entriesPerSummary { try close(1, &file) }
  }

  /// Writes what a level has, and adds it to the next one.
  private mutating func close(_ number: Int, _ file: inout JLSChunkWriter) throws {
    let level = levels[number]
    guard !level.entries.isEmpty, number < 15 else { return }
    var index = jlsPayload(first: level.firstIndexed, count: level.offsets.count, bits: 64)
    for offset in level.offsets { index.append(littleEndian: UInt64(offset)) }
    let position = try head.append(.index, level: number, index, &file)
    var summary = jlsPayload(first: level.firstIndexed, count: level.entries.count, bits: 4 * bits)
    for entry in level.entries {
      for value in [entry.mean, entry.deviation, entry.min, entry.max] {
        append(value, to: &summary)
      }
    }
    try head.append(.summary, level: number, summary, &file)
    levels[number] = Level()
    if levels[number + 1].offsets.isEmpty { levels[number + 1].firstIndexed = level.firstIndexed }
    levels[number + 1].offsets.append(position)
    let size = JLSFile.entriesPerEntry
    for start in stride(from: 0, to: level.entries.count - size + 1, by: size) {
      levels[number + 1].entries.append(Self.entry(level.entries[start..<start + size]))
    }
    if levels[number + 1].entries.count >= JLSFile.entriesPerSummary {
      try close(number + 1, &file)
    }
  }

  mutating func finish(_ file: inout JLSChunkWriter) throws {
    try flush(&file)
    for level in 1..<15 { try close(level, &file) }
    try head.finish(&file)
  }

  /// Of samples; those that are missing do not count.
  private static func entry(_ values: ArraySlice<Double>) -> Entry {
    entry(
      values.lazy.filter(\.isFinite).map { Entry(mean: $0, deviation: 0, min: $0, max: $0) })
  }

  private static func entry(_ parts: ArraySlice<Entry>) -> Entry {
    entry(parts.lazy.filter(\.mean.isFinite))
  }

  /// Of entries that stand for equally many samples.
  private static func entry(_ parts: some Sequence<Entry>) -> Entry {
    var sum = 0.0
    var count = 0.0
    var entry = Entry(mean: .nan, deviation: .nan, min: .infinity, max: -.infinity)
    for part in parts {
      sum += part.mean
      count += 1
      entry.min = min(entry.min, part.min)
      entry.max = max(entry.max, part.max)
    }
    guard count > 0 else { return Entry(mean: .nan, deviation: .nan, min: .nan, max: .nan) }
    entry.mean = sum / count
    var variance = 0.0
    for part in parts {
      let distance = part.mean - entry.mean
      variance += part.deviation * part.deviation + distance * distance
    }
    entry.deviation = (variance / count).squareRoot()
    return entry
  }
}

/// Entries that each have a number of a sample: annotations, and times of samples.
struct JLSEntryTrack {
  private struct Level {
    var entries: [(number: Int64, position: Int, summary: [UInt8])] = []
    var isWritten = false
  }

  private var head: JLSTrackHead
  private var levels = [Level](repeating: Level(), count: 16)

  init(_ head: JLSTrackHead) { self.head = head }

  /// Ties a sample to a time of JLS.
  mutating func append(utc: Int64, sample: Int64, _ file: inout JLSChunkWriter) throws {
    var payload = jlsPayload(first: sample, count: 1, bits: 64)
    payload.append(littleEndian: utc)
    var summary: [UInt8] = []
    summary.append(littleEndian: sample)
    summary.append(littleEndian: utc)
    try append(sample, payload, summary: summary, &file)
  }

  /// Adds a text at a sample.
  ///
  /// - Parameter kind: `JLS_ANNOTATION_TYPE_*`: 1 is a text, 2 a vertical marker.
  mutating func append(
    _ text: String, kind: UInt8, sample: Int64, _ file: inout JLSChunkWriter
  ) throws {
    var payload = jlsPayload(first: sample, count: 1, bits: 0)
    payload += [kind, JLSFile.Storage.text, 0, 0]
    payload.append(littleEndian: Float.nan)
    let bytes = Array(text.utf8.filter { $0 != 0 }) + [0]
    payload.append(littleEndian: UInt32(bytes.count))
    payload += bytes + [0x1F]
    var summary: [UInt8] = []
    summary.append(littleEndian: sample)
    summary += [kind, 0, 0, 0]
    summary.append(littleEndian: Float.nan)
    try append(sample, payload, summary: summary, &file)
  }

  private mutating func append(
    _ sample: Int64, _ payload: [UInt8], summary: [UInt8], _ file: inout JLSChunkWriter
  ) throws {
    let position = try head.append(.data, level: 0, payload, &file)
    levels[1].entries.append((sample, position, summary))
    if levels[1].entries.count >= JLSFile.timeEntries { try close(1, &file) }
  }

  private mutating func close(_ number: Int, _ file: inout JLSChunkWriter) throws {
    let entries = levels[number].entries
    guard let first = entries.first, number < 15 else { return }
    var index = jlsPayload(first: first.number, count: entries.count, bits: 128)
    for entry in entries {
      index.append(littleEndian: entry.number)
      index.append(littleEndian: UInt64(entry.position))
    }
    let position = try head.append(.index, level: number, index, &file)
    var summary = jlsPayload(first: first.number, count: entries.count, bits: 128)
    for entry in entries { summary += entry.summary }
    try head.append(.summary, level: number, summary, &file)
    levels[number].entries.removeAll(keepingCapacity: true)
    levels[number].isWritten = true
    levels[number + 1].entries.append((first.number, position, first.summary))
    if levels[number + 1].entries.count >= JLSFile.timeEntries { try close(number + 1, &file) }
  }

  mutating func finish(_ file: inout JLSChunkWriter) throws {
    // One entry that is all of a level above the first says nothing that is not below it.
    for level in 1..<15
    where level == 1 || levels[level].isWritten || levels[level].entries.count > 1 {
      try close(level, &file)
    }
    try head.finish(&file)
  }
}
