internal import FoundationEssentials
internal import GRDB
public import KelvinModel

// Captures: who appends four times a second keeps everything up to the last second, whatever happens.
// An append survives the death of this process at once. Where the one after it would come too late, it goes to the
// disk itself, and takes all before it along: some two syncs a second (`State.isSyncDue`).

extension RunStore {
  /// Begins a capture: samples of some channels, taken together by `source`, with the meter they come
  /// from; nil for files. Gives its id. Survives the death of this process.
  public func beginCapture(
    attempt: Int64?, source: String, channels: [Channel], meter: MeterIdentity? = nil
  ) throws(StoreFailure) -> Int64 {
    try write(.process) { database, state in
      try database.cachedStatement(
        sql: "INSERT INTO captures (attempt, life, source, meter) VALUES (?, ?, ?, ?)"
      ).execute(arguments: [attempt, life, source.storable, meter?.stored.json.storable])
      let capture = database.lastInsertedRowID
      let statement = try database.cachedStatement(sql: Channel.insertion)
      for (ordinal, channel) in channels.enumerated() {
        try statement.execute(arguments: channel.arguments(capture: capture, ordinal: ordinal))
      }
      state.captures[capture] = [:]
      return capture
    }
  }

  /// Appends samples, and what happened meanwhile. Each channel's blocks come in the order of time, of
  /// up to 2^20 samples; they are stored as blocks of 8192, the last one as far as it goes, so that small
  /// appends cost no space. Gaps that come with the samples behind them, or before, are left out of the
  /// summaries' integrals.
  ///
  /// - Throws: ``StoreFailure``; then nothing of it was kept, and the call may be repeated.
  public func append(
    capture: Int64, blocks: [SampleBlock], events: [CaptureEvent] = []
  ) throws(StoreFailure) {
    try writeSamples { database, state in
      guard var writers = state.captures[capture] else {
        throw StoreFailure(
          .misuse, path: path, "capture \(capture) has ended, or was begun by another process")
      }
      for event in events {
        try insert(event, capture: capture, database)
        guard event.kind.isGap else { continue }
        let gap = Gap(from: event.from, to: event.to)
        for channel in try channels(of: capture, event.channel, database) {
          writers[channel, default: ChannelWriter()].add(gap)
        }
      }
      for block in blocks where !block.codes.isEmpty || !block.times.isEmpty {
        var writer = writers.removeValue(forKey: block.channel) ?? ChannelWriter()
        if let objection = writer.objection(to: block) {
          throw StoreFailure(
            .misuse, path: path,
            "a block of capture \(capture), channel \(block.channel) \(objection)")
        }
        let output = try output(capture: capture, channel: block.channel, database)
        try writer.append(block, &state.encoder, output)
        writers[block.channel] = writer
      }
      return writers
    } then: { writers, state in
      state.captures[capture] = writers
    }
  }

  /// Appends what happened in a capture. As durable as samples.
  public func append(capture: Int64, events: [CaptureEvent]) throws(StoreFailure) {
    try append(capture: capture, blocks: [], events: events)
  }

  /// Notes how the capture's times map to the monotonic clock; replaces what was noted before. Survives
  /// the death of this process.
  public func setClock(capture: Int64, fit: ClockFit) throws(StoreFailure) {
    try write(.process) { database, _ in
      try database.cachedStatement(sql: "UPDATE captures SET clock = ? WHERE id = ?")
        .execute(arguments: [fit.stored.json, capture])
      try requireChange(database, "there is no capture \(capture)")
    }
  }

  /// Ends a capture and keeps what its sampler counted. Of a capture of the run as a whole everything is
  /// on the disk when this returns, of an attempt's with the attempt's end at the latest.
  public func endCapture(
    _ capture: Int64, summary: [String: Value]
  ) throws(StoreFailure) {
    try writeSamples { database, _ in
      try database.cachedStatement(sql: "UPDATE captures SET summary = ? WHERE id = ?")
        .execute(arguments: [Value.map(summary).json, capture])
      try requireChange(database, "there is no capture \(capture)")
    } then: { _, state in
      state.captures[capture] = nil
    }
  }

  /// Runs `body` in one transaction that goes to the disk when that is due, and then `remember`, when it was
  /// committed.
  private func writeSamples<T>(
    _ body: (Database, State) throws -> T, then remember: (T, State) -> Void
  ) throws(StoreFailure) {
    try access { database, state in
      let isDue = state.isSyncDue(at: .now)
      let result = try commit(isDue ? .machine : .process, database, state, body)
      remember(result, state)
    }
  }

  private func channels(
    of capture: Int64, _ channel: Int?, _ database: Database
  ) throws -> [Int] {
    if let channel { return [channel] }
    let statement = try database.cachedStatement(
      sql: "SELECT ordinal FROM channels WHERE capture = ?")
    return try Int.fetchAll(statement, arguments: [capture])
  }

  private func insert(_ event: CaptureEvent, capture: Int64, _ database: Database) throws {
    try database.cachedStatement(
      sql: """
        INSERT INTO capture_events (capture, kind, channel, from_ns, to_ns, count, note)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      capture, event.kind.rawValue, event.channel, event.from, event.to, event.count,
      event.note.storable
    ])
  }

  /// Writes what a channel's writer makes of an append.
  private func output(
    capture: Int64, channel: Int, _ database: Database
  ) throws -> ChannelWriter.Output {
    let insertion = try database.cachedStatement(
      sql: """
        INSERT INTO blocks (first_ns, last_ns, count, min_code, mean_code, max_code, data, capture,
          channel, ordinal)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """)
    let groups = try database.cachedStatement(sql: "INSERT INTO groups (block, data) VALUES (?, ?)")
    let update = try database.cachedStatement(
      sql: """
        UPDATE blocks SET first_ns = ?, last_ns = ?, count = ?, min_code = ?, mean_code = ?,
          max_code = ?, data = ? WHERE id = ?
        """)
    let groupsUpdate = try database.cachedStatement(
      sql: "UPDATE groups SET data = ? WHERE block = ?")
    let row = try database.cachedStatement(
      sql: "INSERT INTO summaries (capture, channel, level, ordinal, data) VALUES (?, ?, ?, ?, ?)")
    return ChannelWriter.Output(
      block: { row, ordinal, count, summary, encoder in
        let values: StatementArguments = [
          summary.first, summary.last, count, summary.min, summary.sum / Double(count),
          summary.max, encoder.data.blob
        ]
        if let row {
          try update.execute(arguments: values + [row])
          try groupsUpdate.execute(arguments: [encoder.groups.blob, row])
          return row
        }
        try insertion.execute(arguments: values + [capture, channel, ordinal])
        let row = database.lastInsertedRowID
        try groups.execute(arguments: [row, encoder.groups.blob])
        return row
      },
      row: { level, ordinal, data in
        try row.execute(arguments: [capture, channel, level, ordinal, data.blob])
      })
  }
}

extension ByteBuffer {
  /// What was written, for a column.
  fileprivate var blob: Data {
    bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return Data() }
      return Data(bytes: base, count: count)
    }
  }
}
