internal import GRDB
public import KelvinModel

extension RunStore {
  /// Records something that happened, in an attempt or in the run. Survives the death of this
  /// process.
  public func record(_ event: EventRecord, attempt: Int64?) throws(StoreFailure) {
    try write(.process) { database, _ in
      try insert(event, attempt: attempt, into: database)
    }
  }

  /// Changes the run's state, and ends it when an outcome is given; on the disk when this returns.
  public func setRunState(_ state: RunState, outcome: Outcome?) throws(StoreFailure) {
    try write(.machine) { database, _ in
      try database.execute(
        sql: "UPDATE run SET state = ?, verdict = ?, reason = ?, ended_wall_ns = ?",
        arguments: [
          state.rawValue, outcome?.verdict.text, outcome?.reason.storable,
          state == .ended ? MonotonicTime.wallNanoseconds : nil
        ])
    }
  }

  /// Adds files and metrics that belong to the run as a whole; on the disk when this returns.
  ///
  /// An artifact replaces an earlier one of the run with the same path.
  public func add(
    runArtifacts artifacts: [Artifact], runMetrics metrics: [Metric] = []
  ) throws(StoreFailure) {
    guard !artifacts.isEmpty || !metrics.isEmpty else { return }
    try write(.machine) { database, state in
      for artifact in artifacts {
        try database.execute(
          sql: "DELETE FROM artifacts WHERE attempt IS NULL AND path = ?",
          arguments: [artifact.path.storable])
        try insert(artifact, attempt: nil, into: database)
      }
      for metric in metrics {
        let type = try self.type(of: metric, database, state)
        try database.execute(
          sql: "INSERT INTO run_metrics (type, value, uncertainty) VALUES (?, ?, ?)",
          arguments: [type, metric.value.databaseValue, metric.uncertainty])
      }
    }
  }

  func insert(_ artifact: Artifact, attempt: Int64?, into database: Database) throws {
    try database.cachedStatement(
      sql: """
        INSERT INTO artifacts (attempt, name, path, kind, description, source)
        VALUES (?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      attempt, artifact.name.storable, artifact.path.storable, artifact.kind.rawValue,
      artifact.description.storable, artifact.source.storable
    ])
  }

  func insert(_ event: EventRecord, attempt: Int64?, into database: Database) throws {
    try database.cachedStatement(
      sql: """
        INSERT INTO events (attempt, life, time_ns, level, source, message)
        VALUES (?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      attempt, life, event.time.nanoseconds, event.level.rawValue, event.source.storable,
      event.message.storable
    ])
  }
}
