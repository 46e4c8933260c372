internal import FoundationEssentials
internal import GRDB
public import KelvinModel

extension RunStore {
  /// Begins a capture: samples of some channels, taken together by `source`. Gives its id. Survives
  /// the death of this process.
  public func beginCapture(
    attempt: Int64?, source: String, channels: [Channel]
  ) throws(StoreFailure) -> Int64 {
    try write(.process) { database, state in
      try database.cachedStatement(
        sql: "INSERT INTO captures (attempt, life, source) VALUES (?, ?, ?)"
      ).execute(arguments: [attempt, life, source.storable])
      let capture = database.lastInsertedRowID
      for (ordinal, channel) in channels.enumerated() {
        try database.cachedStatement(
          sql: "INSERT INTO channels (capture, ordinal, name, unit, scale) VALUES (?, ?, ?, ?, ?)"
        ).execute(arguments: [
          capture, ordinal, channel.name.storable, channel.unit.storable, channel.scale
        ])
      }
      return capture
    }
  }

  /// Appends blocks of samples; empty ones are left out. Survives the death of this process.
  public func append(capture: Int64, blocks: [SampleBlock]) throws(StoreFailure) {
    try write(.process) { database, state in
      for block in blocks where !block.times.isEmpty {
        guard let summary = BlockSummary(block) else {
          throw StoreFailure(
            .misuse, path: path,
            "a block of capture \(capture) has \(block.times.count) times, not ascending or not as "
              + "many as its \(block.codes.count) codes")
        }
        let data = Data(try state.compressor.compress(block))
        try database.cachedStatement(
          sql: """
            INSERT INTO blocks (capture, channel, first_ns, last_ns, count, min_code, mean_code,
              max_code, data)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        ).execute(arguments: [
          capture, block.channel, summary.first, summary.last, block.times.count, summary.min,
          summary.mean, summary.max, data
        ])
      }
    }
  }

  /// Ends a capture and keeps what its sampler counted.
  public func endCapture(
    _ capture: Int64, summary: [String: Value]
  ) throws(StoreFailure) {
    try write(.process) { database, _ in
      try database.cachedStatement(sql: "UPDATE captures SET summary = ? WHERE id = ?")
        .execute(arguments: [Value.map(summary).json, capture])
      try requireChange(database, "there is no capture \(capture)")
    }
  }
}
