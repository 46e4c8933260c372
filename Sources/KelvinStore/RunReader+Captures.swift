internal import GRDB
public import KelvinModel

/// A capture as it stands in the store.
public struct CaptureRecord: Sendable, Hashable {
  public var id: Int64
  /// Nil for a capture of the run as a whole.
  public var attempt: Int64?
  /// Whose clock the times are on.
  public var life: Int64
  public var source: String
  public var channels: [Channel]
  /// What its sampler counted; nil while it goes on, or when its life died.
  public var summary: [String: Value]?
}

extension RunReader {
  /// The captures of an attempt, or with nil those of the run as a whole.
  public func captures(ofAttempt attempt: Int64?) throws(StoreFailure) -> [CaptureRecord] {
    try readTogether { database in
      let rows = try Row.fetchAll(
        database,
        sql:
          "SELECT id, attempt, life, source, summary FROM captures WHERE attempt IS ? ORDER BY id",
        arguments: [attempt])
      return try rows.map { row in
        let row = RowReader(row: row, path: path)
        let id = try row.integer(0)
        return CaptureRecord(
          id: id, attempt: try row.optionalInteger(1), life: try row.integer(2),
          source: try row.text(3), channels: try channels(ofCapture: id, database),
          summary: try row.json(4).map)
      }
    }
  }

  private func channels(ofCapture id: Int64, _ database: Database) throws -> [Channel] {
    try Row.fetchAll(
      database,
      sql: "SELECT name, unit, scale FROM channels WHERE capture = ? ORDER BY ordinal",
      arguments: [id]
    ).map { row in
      let row = RowReader(row: row, path: path)
      return Channel(
        name: try row.text(0), unit: try row.text(1), scale: try row.number(2))
    }
  }

  /// The blocks of a channel in the order in which they were appended.
  public func blocks(ofCapture capture: Int64, channel: Int) throws(StoreFailure) -> [SampleBlock] {
    var blocks: [SampleBlock] = []
    try translating(path: path) {
      try forEachBlock(ofCapture: capture, channel: channel) { blocks.append($0) }
    }
    return blocks
  }

  /// Calls `body` with each block of a channel, holding one in memory at a time and no lock while
  /// `body` runs; it may use the reader.
  public func forEachBlock(
    ofCapture capture: Int64, channel: Int, _ body: (SampleBlock) throws -> Void
  ) throws {
    let ids = try read { database in
      try Int64.fetchAll(
        database, sql: "SELECT id FROM blocks WHERE capture = ? AND channel = ? ORDER BY id",
        arguments: [capture, channel])
    }
    for id in ids { try body(try block(id, channel: channel)) }
  }

  private func block(_ id: Int64, channel: Int) throws(StoreFailure) -> SampleBlock {
    try read { database in
      let statement = try database.cachedStatement(
        sql: "SELECT count, data FROM blocks WHERE id = ?")
      let row = try Row.fetchOne(statement, arguments: [id]).map { RowReader(row: $0, path: path) }
      guard let row,
        let (times, codes) = decompressBlock(try row.bytes(1), count: try row.int(0))
      else {
        throw StoreFailure(
          .corrupt, path: path, "a block of samples is damaged", evidence: "block \(id)",
          hint: "the other blocks and all other results can still be read")
      }
      return SampleBlock(channel: channel, times: times, codes: codes)
    }
  }
}
