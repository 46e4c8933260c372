internal import GRDB
public import KelvinModel
internal import KelvinSystem

// What happened on boards: the newest in full, everything in sums.

extension BenchStore {
  /// How many attempts of each board are kept in full; older ones go, and stay in the sums.
  static let attemptLimit = 1000
  /// How many recoveries, and how many health checks, of each board are kept in full.
  static let recoveryLimit = 200

  /// Notes how an attempt at a job ended on a board.
  public func note(_ record: BoardJobRecord, of board: BenchResource) throws(StoreFailure) {
    try note([record], of: board)
  }

  /// Notes what was done to bring a board back.
  public func note(_ record: RecoveryRecord, of board: BenchResource) throws(StoreFailure) {
    try note([], [record], of: board)
  }

  /// Notes what happened on a board, in the order in which it happened, all at once or not at all.
  public func note(
    _ attempts: [BoardJobRecord], _ recoveries: [RecoveryRecord] = [],
    _ checks: [HealthCheckRecord] = [], of board: BenchResource
  ) throws(StoreFailure) {
    guard !attempts.isEmpty || !recoveries.isEmpty || !checks.isEmpty else { return }
    try write { database in
      let rows = try ensureRows(of: board, in: database)
      // What has a history is the device, whatever it is called and however it is described.
      guard let row = rows.dropFirst().first ?? rows.first else { return }
      let times =
        attempts.map(\.endedWallNanoseconds) + recoveries.map(\.endedWallNanoseconds)
        + checks.map(\.endedWallNanoseconds)
      try database.execute(
        sql: """
          INSERT OR IGNORE INTO board_totals (resource, since_wall_ns, trusted_after, jobs,
            flaky_jobs) VALUES (?, ?, 0, 0, 0)
          """, arguments: [row, times.min()])
      for attempt in attempts { try insert(attempt, for: row, in: database) }
      for recovery in recoveries { try insert(recovery, for: row, in: database) }
      for check in checks { try insert(check, for: row, in: database) }
      try prune("board_jobs", of: row, to: BenchStore.attemptLimit, in: database)
      try prune("recoveries", of: row, to: BenchStore.recoveryLimit, in: database)
      try prune("health_checks", of: row, to: BenchStore.recoveryLimit, in: database)
    }
  }

  /// How the last attempts on a board ended, the newest last: those since it was last put back after it
  /// had been taken out, without those that could not have run on it, nor those that were stopped.
  public func recentVerdicts(
    of board: BenchResource, limit: Int = QuarantineRule.standard.attempts
  ) throws(StoreFailure) -> [Verdict] {
    try read { database in
      let rows = try BenchTables(database, path: path).historyRows(of: board)
      guard !rows.isEmpty else { return [] }
      let marks = rows.map { _ in "?" }.joined(separator: ", ")
      return try Row.fetchAll(
        database,
        sql: """
          SELECT j.verdict FROM board_jobs j JOIN board_totals t ON t.resource = j.resource
          WHERE j.resource IN (\(marks)) AND j.id > t.trusted_after AND j.could_run = 1
            AND j.verdict <> 'aborted' ORDER BY j.id DESC LIMIT ?
          """, arguments: StatementArguments(rows) + [max(0, limit)]
      ).reversed().map { try RowReader(row: $0, path: path).verdict(0) }
    }
  }

  /// Counts for ``recentVerdicts(of:limit:)`` what happens from now on only.
  func trust(_ rows: [Int64], in database: Database) throws {
    for row in rows {
      try database.execute(
        sql: """
          UPDATE board_totals SET trusted_after =
            (SELECT coalesce(max(id), 0) FROM board_jobs WHERE resource = ?1) WHERE resource = ?1
          """, arguments: [row])
    }
  }

  // MARK: Parts

  private func insert(_ record: BoardJobRecord, for row: Int64, in database: Database) throws {
    let isFlaky = try isFlaky(record, for: row, in: database)
    let verdict = record.outcome.verdict.text
    try database.cachedStatement(
      sql: """
        INSERT INTO board_jobs (resource, run, job, attempt, verdict, reason, could_run, seconds,
          ended_wall_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      row, record.run.storable, record.job, record.attempt, verdict,
      record.outcome.reason.storable(limit: 1024), record.couldRun, record.seconds.finite,
      record.endedWallNanoseconds
    ])
    try database.cachedStatement(
      sql: """
        INSERT INTO attempt_totals (resource, verdict, attempts) VALUES (?, ?, 1)
        ON CONFLICT DO UPDATE SET attempts = attempts + 1
        """
    ).execute(arguments: [row, verdict])
    if let isFlaky {
      try database.cachedStatement(
        sql: """
          UPDATE board_totals SET jobs = jobs + 1, flaky_jobs = flaky_jobs + ? WHERE resource = ?
          """
      ).execute(arguments: [isFlaky ? 1 : 0, row])
    }
  }

  /// Whether the job that this attempt ends was flaky (``BoardHistory/flakiness``); nil when it does not
  /// end the job, or says nothing of the board.
  private func isFlaky(
    _ record: BoardJobRecord, for row: Int64, in database: Database
  ) throws -> Bool? {
    let verdict = record.outcome.verdict
    guard record.isLast, record.couldRun, verdict != .aborted, verdict != .skipped else {
      return nil
    }
    if verdict.isBoardTrouble { return true }
    guard record.attempt > 1 else { return false }
    return try Row.fetchAll(
      database,
      sql: """
        SELECT DISTINCT verdict FROM board_jobs WHERE resource = ? AND run = ? AND job = ?
          AND attempt < ? AND verdict <> 'aborted'
        """, arguments: [row, record.run.storable, record.job, record.attempt]
    ).contains { try RowReader(row: $0, path: path).verdict(0) != verdict }
  }

  private func insert(_ record: RecoveryRecord, for row: Int64, in database: Database) throws {
    let seconds = record.seconds.finite
    try database.execute(
      sql: """
        INSERT INTO recoveries (resource, run, finding, steps, outcome, seconds, ended_wall_ns)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        row, record.run.storable, record.finding.storable(limit: BenchStore.textLimit),
        record.stepsJSON, record.outcome.storable, seconds, record.endedWallNanoseconds
      ])
    try database.execute(
      sql: """
        INSERT INTO recovery_totals (resource, outcome, recoveries, seconds, shortest, longest)
        VALUES (?1, ?2, 1, ?3, ?3, ?3)
        ON CONFLICT DO UPDATE SET recoveries = recoveries + 1, seconds = seconds + ?3,
          shortest = min(shortest, ?3), longest = max(longest, ?3)
        """, arguments: [row, record.outcome.storable, seconds])
  }

  private func insert(_ record: HealthCheckRecord, for row: Int64, in database: Database) throws {
    try database.execute(
      sql: """
        INSERT INTO health_checks (resource, run, workload, cause, problem, seconds, ended_wall_ns)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        row, record.run.storable, record.workload.storable, record.cause.storable,
        record.problem?.storable(limit: 1024), record.seconds.finite, record.endedWallNanoseconds
      ])
    try database.execute(
      sql: """
        INSERT INTO check_totals (resource, passed, failed) VALUES (?1, ?2, 1 - ?2)
        ON CONFLICT DO UPDATE SET passed = passed + ?2, failed = failed + 1 - ?2
        """, arguments: [row, record.problem == nil ? 1 : 0])
  }

  /// - Parameter table: one of this file's.
  private func prune(
    _ table: String, of row: Int64, to limit: Int, in database: Database
  ) throws {
    try database.cachedStatement(
      sql: """
        DELETE FROM \(table) WHERE resource = ?1 AND id <= (SELECT id FROM \(table)
          WHERE resource = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
        """
    ).execute(arguments: [row, limit])
  }
}

extension Double {
  /// SQLite has no NaN: it would be NULL.
  fileprivate var finite: Double { isFinite ? self : 0 }
}

extension RowReader {
  /// A verdict.
  func verdict(_ index: Int) throws(StoreFailure) -> Verdict {
    guard let verdict = Verdict(text: try text(index)) else { throw unexpected(index) }
    return verdict
  }
}

extension BenchTables {
  /// The rows of a resource, and those of the names that mean the same device.
  func historyRows(of resource: BenchResource) -> [Int64] {
    let rows = rows(of: resource)
    let names = resources.values.filter { $0.physical.map(rows.contains) ?? false }.map(\.id)
    return Set(rows + names).sorted()
  }
}
