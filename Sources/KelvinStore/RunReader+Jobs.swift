internal import GRDB
public import KelvinModel

extension RunReader {
  /// All jobs, in the order of the plan.
  public func jobs() throws(StoreFailure) -> [JobRecord] {
    try jobs(from: 0, count: Int.max)
  }

  /// Up to `count` jobs from a position on, in the order of the plan.
  public func jobs(from position: Int, count: Int) throws(StoreFailure) -> [JobRecord] {
    try read { database in
      let statement = try database.cachedStatement(
        sql: JobRecord.selection + " WHERE position >= ? ORDER BY position LIMIT ?")
      return try Row.fetchAll(statement, arguments: [position, count]).map { row in
        try JobRecord(RowReader(row: row, path: path))
      }
    }
  }

  /// The job at a position; nil when the plan has none there.
  public func job(_ position: Int) throws(StoreFailure) -> JobRecord? {
    try jobs(from: position, count: 1).first.flatMap { $0.position == position ? $0 : nil }
  }

  /// Calls `body` with each job in the order of the plan, holding a few of them in memory at a time
  /// and no lock while `body` runs; it may use the reader.
  public func forEachJob(_ body: (JobRecord) throws -> Void) throws {
    var position = 0
    while true {
      let batch = try jobs(from: position, count: 256)
      for job in batch { try body(job) }
      guard let last = batch.last else { return }
      position = last.position + 1
    }
  }

  /// How many jobs ended with each verdict; nil counts those that have not ended.
  public func verdictCounts() throws(StoreFailure) -> [Verdict.Status?: Int] {
    try read { database in
      var counts: [Verdict.Status?: Int] = [:]
      let rows = try Row.fetchAll(
        database, sql: "SELECT verdict, NULL, count(*) FROM jobs GROUP BY verdict")
      for row in rows {
        let row = RowReader(row: row, path: path)
        counts[try row.outcome(0)?.verdict.status, default: 0] += try row.int(2)
      }
      return counts
    }
  }

  /// The attempts at a job, first to last.
  public func attempts(ofJob job: Int) throws(StoreFailure) -> [AttemptRecord] {
    try read { database in
      try AttemptRecord.fetch(database, path: path, "WHERE job = ? ORDER BY number", [job])
    }
  }

  /// The last attempt at a job, whose results are the job's; nil when there was none.
  public func lastAttempt(ofJob job: Int) throws(StoreFailure) -> AttemptRecord? {
    try read { database in
      try AttemptRecord.fetch(
        database, path: path, "WHERE job = ? ORDER BY number DESC LIMIT 1", [job]
      ).first
    }
  }

  /// The metrics of an attempt, in the order in which they were given.
  public func metrics(ofAttempt attempt: Int64) throws(StoreFailure) -> [Metric] {
    try read { database in
      try metrics(
        database, "SELECT * FROM metrics WHERE attempt = ? ORDER BY ordinal", [attempt], from: 2)
    }
  }

  /// The files of an attempt, or with nil those of the run.
  public func artifacts(ofAttempt attempt: Int64?) throws(StoreFailure) -> [Artifact] {
    try read { database in
      let statement = try database.cachedStatement(
        sql: """
          SELECT name, path, kind, description, source FROM artifacts
          WHERE attempt IS ? ORDER BY id
          """)
      return try Row.fetchAll(statement, arguments: [attempt]).map { row in
        try Artifact(RowReader(row: row, path: path))
      }
    }
  }

  /// The events of an attempt, or with nil those of the run outside any attempt.
  public func events(ofAttempt attempt: Int64?) throws(StoreFailure) -> [EventRecord] {
    try read { database in
      let statement = try database.cachedStatement(
        sql: """
          SELECT level, time_ns, source, message FROM events WHERE attempt IS ? ORDER BY id
          """)
      return try Row.fetchAll(statement, arguments: [attempt]).map { row in
        try EventRecord(RowReader(row: row, path: path))
      }
    }
  }

  /// Copies the database as it is now, alone and complete, to a path where nothing is yet; the run
  /// may go on meanwhile.
  public func copyDatabase(to path: String) throws(StoreFailure) {
    try translating(path: path) {
      var configuration = Configuration()
      configuration.busyMode = .timeout(10)
      let copy = try DatabaseQueue(path: path, configuration: configuration)
      try backup(to: copy)
      // The copy says that it is in WAL mode, as the original is while the run goes on.
      try copy.inDatabase { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
      try copy.close()
    }
  }
}
