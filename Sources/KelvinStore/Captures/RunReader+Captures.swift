internal import GRDB
public import KelvinModel

/// A capture as it stands in the store.
public struct CaptureRecord: Sendable, Hashable {
  public var id: Int64
  /// Nil for a capture of the run as a whole.
  public var attempt: Int64?
  /// Whose clock the times are on, by ``clock``.
  public var life: Int64
  public var source: String
  public var channels: [Channel]
  /// Which meter it was; nil for files.
  public var meter: MeterIdentity?
  /// How the samples' times map to the life's monotonic clock; nil when they are on it.
  public var clock: ClockFit?
  /// What its sampler counted; nil while it goes on, or when its life died.
  public var summary: [String: Value]?
}

extension RunReader {
  /// The captures of an attempt, or with nil those of the run as a whole.
  public func captures(ofAttempt attempt: Int64?) throws(StoreFailure) -> [CaptureRecord] {
    try readTogether { database in
      // Runs of older versions have no columns behind the summary.
      let rows = try Row.fetchAll(
        database, sql: "SELECT * FROM captures WHERE attempt IS ? ORDER BY id",
        arguments: [attempt])
      return try rows.map { row in
        let row = RowReader(row: row, path: path)
        let id = try row.integer(0)
        var record = CaptureRecord(
          id: id, attempt: try row.optionalInteger(1), life: try row.integer(2),
          source: try row.text(3), channels: try channels(ofCapture: id, database),
          summary: try row.json(4).map)
        if row.count > 6 {
          record.meter = MeterIdentity(stored: try row.json(5))
          record.clock = ClockFit(stored: try row.json(6))
        }
        return record
      }
    }
  }

  private func channels(ofCapture id: Int64, _ database: Database) throws -> [Channel] {
    try Row.fetchAll(
      database, sql: Channel.selection + " WHERE capture = ? ORDER BY ordinal", arguments: [id]
    ).map { try Channel(RowReader(row: $0, path: path)) }
  }

  /// What happened in a capture, in the order of time.
  public func events(ofCapture capture: Int64) throws(StoreFailure) -> [CaptureEvent] {
    try readTogether { database in
      guard try database.tableExists("capture_events") else { return [] }
      return try Row.fetchAll(
        database, sql: CaptureEvent.selection + " WHERE capture = ? ORDER BY from_ns, id",
        arguments: [capture]
      ).map { try CaptureEvent(RowReader(row: $0, path: path)) }
    }
  }

  /// The blocks of a channel in the order of time; for captures that fit into memory.
  public func blocks(ofCapture capture: Int64, channel: Int) throws(StoreFailure) -> [SampleBlock] {
    var blocks: [SampleBlock] = []
    try translating(path: path) {
      try forEachBlock(ofCapture: capture, channel: channel) { blocks.append($0) }
    }
    return blocks
  }

  /// Calls `body` with the samples of a channel in the order of time, a block of up to 8192 at a time
  /// (of older runs up to 2^20), holding one in memory and no lock while `body` runs; it may use the
  /// reader.
  ///
  /// - Parameter interval: On the meter's clock, in nanoseconds; only samples within it are given. All
  ///   that there is with nil.
  public func forEachBlock(
    ofCapture capture: Int64, channel: Int, in interval: ClosedRange<Int64>? = nil,
    _ body: (SampleBlock) throws -> Void
  ) throws {
    for id in try blockIDs(ofCapture: capture, channel: channel, in: interval) {
      let block = try read { database in try self.block(id, channel: channel, database) }
      guard let interval else {
        try body(block)
        continue
      }
      let part = block.part(in: interval)
      if !part.codes.isEmpty { try body(part) }
    }
  }

  private func blockIDs(
    ofCapture capture: Int64, channel: Int, in interval: ClosedRange<Int64>?
  ) throws(StoreFailure) -> [Int64] {
    try read { database in
      guard let interval else {
        return try Int64.fetchAll(
          database, sql: "SELECT id FROM blocks WHERE capture = ? AND channel = ? ORDER BY id",
          arguments: [capture, channel])
      }
      // By time, so that what lies behind the interval is not looked at.
      let rows = try Row.fetchCursor(
        database,
        sql: """
          SELECT id, first_ns FROM blocks WHERE capture = ? AND channel = ? AND last_ns >= ?
          ORDER BY last_ns, id
          """, arguments: [capture, channel, interval.lowerBound])
      var ids: [Int64] = []
      while let row = try rows.next() {
        let row = RowReader(row: row, path: path)
        guard try row.integer(1) <= interval.upperBound else { break }
        ids.append(try row.integer(0))
      }
      return ids
    }
  }

  private func block(
    _ id: Int64, channel: Int, _ database: Database
  ) throws -> SampleBlock {
    let statement = try database.cachedStatement(sql: "SELECT count, data FROM blocks WHERE id = ?")
    guard
      let row = try Row.fetchOne(statement, arguments: [id]).map({ RowReader(row: $0, path: path) })
    else { throw damaged(block: id) }
    let (count, data) = (try row.int(0), try row.bytes(1))
    guard data.first == BlockLayout.format else {
      guard let (times, codes) = decompressBlock(data, count: count) else {
        throw damaged(block: id)
      }
      return SampleBlock(channel: channel, times: times, codes: codes)
    }
    let groups = try database.cachedStatement(sql: "SELECT data FROM groups WHERE block = ?")
    guard
      let bytes = try Row.fetchOne(groups, arguments: [id]).map({
        try RowReader(row: $0, path: path).bytes(0)
      }), let block = BlockDecoder(groups: bytes, count: count)?.block(data, channel: channel)
    else { throw damaged(block: id) }
    return block
  }

  /// The blocks of a channel in a run of an older version.
  func oldBlocks(
    ofCapture capture: Int64, channel: Int, _ database: Database
  ) throws -> [SampleBlock] {
    try Int64.fetchAll(
      database, sql: "SELECT id FROM blocks WHERE capture = ? AND channel = ? ORDER BY id",
      arguments: [capture, channel]
    ).map { try block($0, channel: channel, database) }
  }

  /// What is thrown for a block whose blobs are not what was written.
  func damaged(block id: Int64) -> StoreFailure {
    StoreFailure(
      .corrupt, path: path, "a block of samples is damaged", evidence: "block \(id)",
      hint: "the other blocks and all other results can still be read")
  }
}

extension BlockDecoder {
  /// All samples of the blob of table `blocks`; nil when it is damaged.
  func block(_ data: [UInt8], channel: Int) -> SampleBlock? {
    guard accepts(data), let last = groups.last else { return nil }
    let count = last.start + last.count
    var codes: [Int64] = []
    codes.reserveCapacity(count)
    for group in groups { append(group, of: data, codes: &codes) }
    if let regular {
      return SampleBlock(channel: channel, times: regular.times(count: count), codes: codes)
    }
    var times: [Int64] = []
    times.reserveCapacity(count)
    for group in groups { append(group, of: data, times: &times) }
    return SampleBlock(channel: channel, times: times, codes: codes)
  }
}

extension SampleBlock {
  /// The samples within some times.
  func part(in interval: ClosedRange<Int64>) -> SampleBlock {
    let start = times.firstIndex { $0 >= interval.lowerBound } ?? times.count
    let end = times.lastIndex { $0 <= interval.upperBound }.map { $0 + 1 } ?? 0
    if start == 0, end == times.count { return self }
    guard start < end else { return SampleBlock(channel: channel, times: [], codes: []) }
    let part: SampleTimes
    switch times {
    case .each(let times): part = .each(Array(times[start..<end]))
    case .regular(let first, let step, _):
      part = RegularTimes(anchor: first, step: step, offset: start).times(count: end - start)
    }
    return SampleBlock(channel: channel, times: part, codes: Array(codes[start..<end]))
  }
}
