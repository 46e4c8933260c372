internal import GRDB
public import KelvinModel

/// A run as it stands in the store, apart from its jobs.
public struct RunInfo: Sendable, Hashable {
  public var record: RunRecord
  public var state: RunState
  /// Nil until the run has ended.
  public var outcome: Outcome?
  public var endedWallNanoseconds: Int64?
  public var settings: RunSettings
  /// Oldest first; one more for each resume.
  public var lives: [Life]

  /// A life of the run, as the store knows it.
  public struct Life: Sendable, Hashable {
    /// As ``AttemptRecord/life`` names it.
    public var id: Int64
    public var record: LifeRecord
    /// When it closed the store, on its monotonic clock; nil while it lives, or when it died.
    public var ended: MonotonicTime?

    /// Whether it neither closed the store nor died.
    public var isAlive: Bool { ended == nil && record.isAlive }
  }

  /// Whether a live process runs it now.
  public var isInProgress: Bool { lives.last?.isAlive ?? false }
  /// Whether its last process died or stopped before the run had ended, so that it can be resumed.
  public var isCutOff: Bool { state != .ended && !isInProgress }
}

extension RunInfo.Life {
  static func all(_ database: Database, path: String) throws -> [Self] {
    try Row.fetchAll(
      database,
      sql: """
        SELECT id, boot_id, process_id, start_ticks, monotonic_ns, boottime_ns, wall_ns, ended_ns
        FROM lives ORDER BY id
        """
    ).map { row in
      let row = RowReader(row: row, path: path)
      return Self(
        id: try row.integer(0),
        record: LifeRecord(
          bootID: try row.text(1), processID: Int32(try row.int(2)),
          startTicks: UInt64(bitPattern: try row.integer(3)),
          monotonic: MonotonicTime(nanoseconds: try row.integer(4)),
          boottimeNanoseconds: try row.integer(5), wallNanoseconds: try row.integer(6)),
        ended: try row.optionalInteger(7).map(MonotonicTime.init(nanoseconds:)))
    }
  }
}

extension RunInfo {
  /// Reads the run; its sources only when asked, since they may be large.
  static func fetch(_ database: Database, path: String, sources: Bool) throws -> RunInfo {
    let row = try Row.fetchOne(
      database,
      sql: """
        SELECT id, name, kelvin_version, command_line, board, created_wall_ns, ended_wall_ns, state,
          verdict, reason, settings FROM run
        """)
    guard let row = row.map({ RowReader(row: $0, path: path) }),
      let settings = RunSettings(stored: try row.json(10))
    else {
      throw StoreFailure(
        .corrupt, path: path, "the database is damaged", evidence: "table 'run' is not readable")
    }
    var texts: [RunRecord.SourceText] = []
    if sources {
      texts = try Row.fetchAll(database, sql: "SELECT path, content FROM sources ORDER BY id").map {
        let row = RowReader(row: $0, path: path)
        return RunRecord.SourceText(path: try row.text(0), content: try row.text(1))
      }
    }
    // Runs of schema version 1 knew no benches.
    var benchFiles: [String] = []
    if try database.tableExists("bench_files") {
      benchFiles = try Row.fetchAll(database, sql: "SELECT path FROM bench_files ORDER BY id").map {
        try RowReader(row: $0, path: path).text(0)
      }
    }
    let record = RunRecord(
      id: try row.text(0), name: try row.text(1), kelvinVersion: try row.text(2),
      commandLine: (try row.json(3).list ?? []).compactMap(\.text), board: try row.text(4),
      createdWallNanoseconds: try row.integer(5), sources: texts,
      benchFiles: benchFiles)
    return RunInfo(
      record: record, state: try row.word(7, as: RunState.self), outcome: try row.outcome(8),
      endedWallNanoseconds: try row.optionalInteger(6), settings: settings,
      lives: try Life.all(database, path: path))
  }
}
