internal import GRDB
public import KelvinModel

/// A job that has no verdict, and what was tried so far.
public struct PendingJobRecord: Sendable, Hashable {
  /// Position in the plan, from 0.
  public var position: Int
  /// Attempts on record.
  public var attempts: Int
  /// Attempts that count against `max_retries`: those that were not aborted.
  public var countedAttempts: Int
}

extension RunStore {
  /// The verdicts of the jobs that have one, in no order: those of earlier lives, before a run goes on.
  public func verdicts() throws(StoreFailure) -> [Verdict] {
    try access { database, _ in
      let rows = try Row.fetchCursor(
        database, sql: "SELECT verdict, reason FROM jobs WHERE verdict IS NOT NULL")
      var verdicts: [Verdict] = []
      while let row = try rows.next() {
        guard let outcome = try RowReader(row: row, path: path).outcome(0) else { continue }
        verdicts.append(outcome.verdict)
      }
      return verdicts
    }
  }

  /// Notes on which board the run goes on, and what describes it, for whoever resumes it; on the disk
  /// when this returns.
  public func setBoard(_ name: String, benchFiles: [String]) throws(StoreFailure) {
    try write(.machine) { database, _ in
      try database.execute(sql: "UPDATE run SET board = ?", arguments: [name.storable])
      try database.execute(sql: "DELETE FROM bench_files")
      for path in benchFiles {
        try database.execute(
          sql: "INSERT INTO bench_files (path) VALUES (?)", arguments: [path.storable])
      }
    }
  }

  /// Takes the verdicts `aborted` and `skipped` back, which say that the run was stopped and nothing
  /// about the job, and gives all jobs without a verdict in the order of the plan.
  ///
  /// Attempts stay on record as they are. Survives the death of this process.
  public func reopenStoppedJobs() throws(StoreFailure) -> [PendingJobRecord] {
    try write(.process) { database, _ in
      try database.execute(
        sql: "UPDATE jobs SET verdict = NULL, reason = NULL WHERE verdict IN (?, ?)",
        arguments: [Verdict.aborted.text, Verdict.skipped.text])
      let rows = try Row.fetchCursor(
        database,
        sql: """
          SELECT j.position, count(a.id), count(a.id) FILTER (WHERE a.verdict <> ?)
          FROM jobs j LEFT JOIN attempts a ON a.job = j.position
          WHERE j.verdict IS NULL GROUP BY j.position ORDER BY j.position
          """, arguments: [Verdict.aborted.text])
      var pending: [PendingJobRecord] = []
      while let row = try rows.next() {
        let reader = RowReader(row: row, path: path)
        pending.append(
          PendingJobRecord(
            position: Int(try reader.integer(0)), attempts: Int(try reader.integer(1)),
            countedAttempts: Int(try reader.integer(2))))
      }
      return pending
    }
  }
}
