internal import GRDB
internal import KelvinModel

// How records are read from rows.

extension AttemptRecord {
  private static let columns = """
    id, job, number, life, started_wall_ns, process_id, process_start_ticks, verdict, reason,
    setup_start_ns, setup_end_ns, run_start_ns, run_end_ns, extract_start_ns, extract_end_ns,
    teardown_start_ns, teardown_end_ns, overhead_cpu_ns, overhead_before_ns, overhead_after_ns,
    fingerprint, changes
    """

  /// Reads the attempts that `condition` (WHERE ... ORDER BY ...) selects.
  static func fetch(
    _ database: Database, path: String, _ condition: String, _ arguments: StatementArguments
  ) throws -> [AttemptRecord] {
    let statement = try database.cachedStatement(
      sql: "SELECT \(columns) FROM attempts \(condition)")
    return try Row.fetchAll(statement, arguments: arguments).map { row in
      try AttemptRecord(RowReader(row: row, path: path))
    }
  }

  private init(_ row: RowReader) throws {
    var stages = StageTimes()
    stages.setup = try row.range(9)
    stages.run = try row.range(11)
    stages.extract = try row.range(13)
    stages.teardown = try row.range(15)
    var overhead: Overhead?
    if let cpu = try row.optionalInteger(17) {
      overhead = Overhead()
      overhead?.cpuInsideWindow = cpu
      overhead?.beforeWindow = try row.integer(18)
      overhead?.afterWindow = try row.integer(19)
    }
    self.init(
      id: try row.integer(0), job: try row.int(1), number: try row.int(2),
      life: try row.integer(3), startedWallNanoseconds: try row.integer(4),
      outcome: try row.outcome(7), stages: stages, overhead: overhead,
      fingerprint: try row.optionalInteger(20), changes: try row.json(21).map ?? [:],
      processID: try row.optionalInteger(5).map { Int32(truncatingIfNeeded: $0) },
      startTicks: try row.optionalInteger(6).map(UInt64.init(bitPattern:)))
  }
}

extension JobRecord {
  static let selection = """
    SELECT position, spec, iteration, verdict, reason,
      (SELECT count(*) FROM attempts WHERE job = position)
    FROM jobs
    """

  /// Reads a row of ``selection``.
  init(_ row: RowReader) throws(StoreFailure) {
    self.init(
      position: try row.int(0), spec: try row.int(1), iteration: try row.int(2),
      outcome: try row.outcome(3), attempts: try row.int(5))
  }
}

extension Artifact {
  /// Reads a row of name, path, kind, description, source.
  init(_ row: RowReader) throws(StoreFailure) {
    self.init(
      name: try row.text(0), path: try row.text(1), kind: try row.word(2, as: Kind.self),
      description: try row.text(3), source: try row.text(4))
  }
}

extension EventRecord {
  /// Reads a row of level, time_ns, source, message.
  init(_ row: RowReader) throws(StoreFailure) {
    self.init(
      try row.word(0, as: Level.self), source: try row.text(2), try row.text(3),
      time: MonotonicTime(nanoseconds: try row.integer(1)))
  }
}
