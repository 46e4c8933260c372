internal import GRDB
internal import KelvinModel

extension RunReader {
  /// When the first and the last sample of a channel was taken, on the meter's clock; nil without any.
  public func interval(
    ofCapture capture: Int64, channel: Int
  ) throws(StoreFailure) -> ClosedRange<Int64>? {
    try readTogether { database in
      func time(_ column: String, _ order: String) throws -> Int64? {
        let row = try Row.fetchOne(
          database,
          sql: """
            SELECT \(column) FROM blocks WHERE capture = ? AND channel = ?
            ORDER BY last_ns \(order), id \(order) LIMIT 1
            """, arguments: [capture, channel])
        return try row.map { try RowReader(row: $0, path: path).integer(0) }
      }
      guard let first = try time("first_ns", ""), let last = try time("last_ns", "DESC") else {
        return nil
      }
      guard first <= last else {
        throw StoreFailure(
          .corrupt, path: path, "the database is damaged",
          evidence: "capture \(capture) ends before it begins")
      }
      return first...last
    }
  }

  /// What a channel's samples come to in `points` parts of an interval, for a picture of it.
  ///
  /// Reads few summaries, whatever the interval, and samples only where parts are shorter than some 170 of
  /// them. A summary that crosses the border of two parts counts for the one its middle is in, unless it
  /// is longer than three quarters of a part, so that borders are true to three eighths of a part; counts, extremes and
  /// integrals of the whole are exact when the interval holds all samples.
  ///
  /// - Parameters:
  ///   - from: On the meter's clock, in nanoseconds, as `to`.
  ///   - points: From 1 on.
  /// - Returns: as many points as asked for; none when the interval is empty.
  public func zoom(
    capture: Int64, channel: Int, from: Int64, to: Int64, points: Int
  ) throws(StoreFailure) -> [ZoomPoint] {
    guard from < to, points > 0 else { return [] }
    return try readTogether { database in
      let channels = try Row.fetchAll(
        database, sql: Channel.selection + " WHERE capture = ? AND ordinal = ?",
        arguments: [capture, channel])
      guard let row = channels.first else {
        throw StoreFailure(
          .misuse, path: path, "there is no channel \(channel) of capture \(capture)")
      }
      let channelRecord = try Channel(RowReader(row: row, path: path))
      var zoom = Zoom(
        reader: self, database: database, capture: capture, channel: channel,
        collector: ZoomCollector(from: from, to: to, points: points))
      try zoom.collect()
      return zoom.collector.points(scale: channelRecord.scale, offset: channelRecord.offset)
    }
  }
}

/// Walks the pyramid of one channel from the level that fits downwards.
private struct Zoom {
  let reader: RunReader
  let database: Database
  let capture: Int64
  let channel: Int
  var collector: ZoomCollector

  private var gaps: [Gap] = []
  /// The last sample that was counted by itself.
  private var previous: SamplePoint?
  /// Those of the group at hand.
  private var times: [Int64] = []
  private var codes: [Int64] = []

  init(
    reader: RunReader, database: Database, capture: Int64, channel: Int, collector: ZoomCollector
  ) {
    self.reader = reader
    self.database = database
    self.capture = capture
    self.channel = channel
    self.collector = collector
  }

  mutating func collect() throws {
    guard
      let first = try boundary(
        "last_ns >= ? ORDER BY last_ns, id", [capture, channel, collector.from])
    else { return }
    guard let first = first.ordinal else { return try collectOldBlocks() }
    let last =
      try boundary("last_ns >= ? ORDER BY last_ns, id", [capture, channel, collector.to])
      ?? boundary("last_ns >= ? ORDER BY last_ns DESC, id DESC", [capture, channel, Int64.min])
    guard let last = last?.ordinal, last >= first else { return }
    gaps = try loadGaps()
    let samples = (last - first + 1) * Int64(BlockLayout.blockCount)
    let perPoint = Double(samples) / Double(collector.count)
    var level = 0
    while level < Pyramid.topLevel,
      Double(Pyramid.samples(level: level + 1)) <= perPoint * ZoomCollector.share
    { level += 1 }
    let size = Pyramid.samples(level: level)
    let start = first * Int64(BlockLayout.blockCount) / size
    let end = ((last + 1) * Int64(BlockLayout.blockCount) + size - 1) / size
    try collect(level: level, start..<end)
  }

  /// The ordinal of the first block that a condition selects; nil without a block.
  private func boundary(
    _ condition: String, _ arguments: StatementArguments
  ) throws -> (ordinal: Int64?, Void)? {
    // Blocks of older runs have no ordinal.
    let statement = try database.cachedStatement(
      sql: "SELECT * FROM blocks WHERE capture = ? AND channel = ? AND \(condition) LIMIT 1")
    guard let row = try Row.fetchOne(statement, arguments: arguments) else { return nil }
    let reader = RowReader(row: row, path: reader.path)
    let ordinal = reader.count > 10 ? try reader.optionalInteger(10) : nil
    // So that no count of samples overflows.
    guard ordinal.map({ (0..<1 << 40).contains($0) }) ?? true else { throw damaged }
    return (ordinal, ())
  }

  /// Counts entries of a level; what is not in a row yet is counted by the level below.
  private mutating func collect(level: Int, _ entries: Range<Int64>) throws {
    guard level > 0 else { return try collectGroups(entries) }
    let perRow = Int64(Pyramid.entriesPerRow)
    let statement = try database.cachedStatement(
      sql: """
        SELECT ordinal, data FROM summaries WHERE capture = ? AND channel = ? AND level = ?
          AND ordinal BETWEEN ? AND ? ORDER BY ordinal
        """)
    let first = entries.lowerBound / perRow
    let rows = try Row.fetchAll(
      statement,
      arguments: [capture, channel, level, first, (entries.upperBound - 1) / perRow])
    var next = entries.lowerBound
    for row in rows {
      let row = RowReader(row: row, path: reader.path)
      let ordinal = try row.integer(0)
      let bytes = try row.bytes(1)
      guard ordinal == next / perRow, Pyramid.isWhole(bytes) else { throw damaged }
      while next < entries.upperBound, next / perRow == ordinal {
        let entry = Pyramid.entry(Int(next % perRow), of: bytes)
        if collector.touches(entry) {
          if collector.fits(entry) {
            collector.add(entry, count: Pyramid.samples(level: level))
          } else {
            let below = Int64(Pyramid.fanOut)
            try collect(level: level - 1, next * below..<(next + 1) * below)
          }
        }
        next += 1
      }
    }
    guard next < entries.upperBound else { return }
    let below = Int64(Pyramid.fanOut)
    try collect(level: level - 1, next * below..<entries.upperBound * below)
  }

  /// Counts groups of blocks, and where they are too long their samples.
  private mutating func collectGroups(_ groups: Range<Int64>) throws {
    let perBlock = Int64(BlockLayout.blockCount / BlockLayout.groupCount)
    let statement = try database.cachedStatement(
      sql: """
        SELECT b.id, b.ordinal, b.count, g.data FROM blocks b LEFT JOIN groups g ON g.block = b.id
        WHERE b.capture = ? AND b.channel = ? AND b.ordinal BETWEEN ? AND ? ORDER BY b.ordinal
        """)
    let rows = try Row.fetchAll(
      statement,
      arguments: [
        capture, channel, groups.lowerBound / perBlock, (groups.upperBound - 1) / perBlock
      ])
    for row in rows {
      let row = RowReader(row: row, path: reader.path)
      let id = try row.integer(0)
      guard let decoder = BlockDecoder(groups: try row.bytes(3), count: try row.int(2)) else {
        throw reader.damaged(block: id)
      }
      let first = try row.integer(1) &* perBlock
      var samples: [UInt8]?
      for (index, group) in decoder.groups.enumerated()
      where groups.contains(first &+ Int64(index)) && collector.touches(group.summary) {
        if collector.fits(group.summary) {
          collector.add(group.summary, count: Int64(group.count))
          previous = nil
          continue
        }
        let data = try samples ?? self.samples(of: id, decoder)
        samples = data
        if previous == nil, index > 0 {
          previous = decoder.last(of: decoder.groups[index - 1], in: data)
        }
        count(group, decoder, data)
      }
    }
  }

  private func samples(of block: Int64, _ decoder: BlockDecoder) throws -> [UInt8] {
    let statement = try database.cachedStatement(sql: "SELECT data FROM blocks WHERE id = ?")
    let row = try Row.fetchOne(statement, arguments: [block])
    guard let data = try row.map({ try RowReader(row: $0, path: reader.path).bytes(0) }),
      decoder.accepts(data)
    else { throw reader.damaged(block: block) }
    return data
  }

  private mutating func count(
    _ group: BlockDecoder.Group, _ decoder: BlockDecoder, _ data: [UInt8]
  ) {
    // Out of here, so that both can be used at once.
    var (times, codes) = ([Int64](), [Int64]())
    swap(&times, &self.times)
    swap(&codes, &self.codes)
    times.removeAll(keepingCapacity: true)
    codes.removeAll(keepingCapacity: true)
    decoder.append(group, of: data, times: &times, codes: &codes)
    collector.add(times: times.span, codes: codes.span, after: previous, gaps: gaps)
    previous = SamplePoint(time: times[times.count - 1], code: codes[codes.count - 1])
    swap(&times, &self.times)
    swap(&codes, &self.codes)
  }

  /// Runs of older versions have no summaries but those of blocks, and are short.
  private mutating func collectOldBlocks() throws {
    for block in try reader.oldBlocks(ofCapture: capture, channel: channel, database) {
      guard let time = block.times.last, let code = block.codes.last else { continue }
      let times = block.times.array
      collector.add(times: times.span, codes: block.codes.span, after: previous, gaps: [])
      previous = SamplePoint(time: time, code: code)
    }
  }

  private func loadGaps() throws -> [Gap] {
    let statement = try database.cachedStatement(
      sql: """
        SELECT from_ns, to_ns FROM capture_events WHERE capture = ? AND from_ns <= ?
          AND to_ns >= ? AND kind IN ('gap', 'suspend') AND (channel IS NULL OR channel = ?)
        """)
    return try Row.fetchAll(
      statement, arguments: [capture, collector.to, collector.from, channel]
    ).map { row in
      let row = RowReader(row: row, path: reader.path)
      return Gap(from: try row.integer(0), to: try row.integer(1))
    }
  }

  private var damaged: StoreFailure {
    StoreFailure(
      .corrupt, path: reader.path, "summaries of a capture are damaged",
      evidence: "capture \(capture), channel \(channel)", hint: "its samples can still be read")
  }
}
