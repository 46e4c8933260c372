internal import GRDB
public import KelvinModel

extension RunStore {
  /// Begins an attempt at a job; gives its id. Survives the death of this process.
  public func beginAttempt(
    job: Int, number: Int, startedWallNanoseconds: Int64
  ) throws(StoreFailure) -> Int64 {
    try write(.process) { database, _ in
      try database.cachedStatement(
        sql: "INSERT INTO attempts (job, number, life, started_wall_ns) VALUES (?, ?, ?, ?)"
      ).execute(arguments: [job, number, life, startedWallNanoseconds])
      return database.lastInsertedRowID
    }
  }

  /// Notes the workload's process, so that a resume can end it. Survives the death of this process.
  public func recordProcess(
    attempt: Int64, processID: Int32, startTicks: UInt64?
  ) throws(StoreFailure) {
    try write(.process) { database, _ in
      try database.cachedStatement(
        sql: "UPDATE attempts SET process_id = ?, process_start_ticks = ? WHERE id = ?"
      ).execute(arguments: [processID, startTicks.map(Int64.init(bitPattern:)), attempt])
      try requireChange(database, "there is no attempt \(attempt)")
    }
  }

  /// Ends an attempt and keeps all that it left, in one transaction that is on the disk when this
  /// returns; `jobOutcome` ends its job with it, nil leaves the job open for another attempt.
  ///
  /// - Throws: ``StoreFailure``; then nothing of the result was kept, and the call may be repeated.
  public func finishAttempt(
    _ attempt: Int64, _ result: AttemptResult, jobOutcome: Outcome?
  ) throws(StoreFailure) {
    try write(.machine) { database, state in
      let fingerprint = try self.fingerprint(result.fingerprint, database, state)
      let stages = result.stages
      try database.cachedStatement(
        sql: """
          UPDATE attempts SET verdict = ?, reason = ?,
            setup_start_ns = ?, setup_end_ns = ?, run_start_ns = ?, run_end_ns = ?,
            extract_start_ns = ?, extract_end_ns = ?, teardown_start_ns = ?, teardown_end_ns = ?,
            overhead_cpu_ns = ?, overhead_before_ns = ?, overhead_after_ns = ?,
            fingerprint = ?, changes = ?
          WHERE id = ? AND verdict IS NULL
          """
      ).execute(arguments: [
        result.outcome.verdict.text, result.outcome.reason.storable,
        stages.setup?.lowerBound, stages.setup?.upperBound,
        stages.run?.lowerBound, stages.run?.upperBound,
        stages.extract?.lowerBound, stages.extract?.upperBound,
        stages.teardown?.lowerBound, stages.teardown?.upperBound,
        result.overhead?.cpuInsideWindow, result.overhead?.beforeWindow,
        result.overhead?.afterWindow,
        fingerprint, result.changes.isEmpty ? nil : Value.map(result.changes).json,
        attempt
      ])
      try requireChange(database, "attempt \(attempt) does not exist or has ended already")
      for (ordinal, metric) in result.metrics.enumerated() {
        let type = try self.type(of: metric, database, state)
        try database.cachedStatement(
          sql: """
            INSERT INTO metrics (attempt, ordinal, type, value, uncertainty) VALUES (?, ?, ?, ?, ?)
            """
        ).execute(arguments: [
          attempt, ordinal, type, metric.value.databaseValue, metric.uncertainty
        ])
      }
      for artifact in result.artifacts {
        try insert(artifact, attempt: attempt, into: database)
      }
      for event in result.events { try insert(event, attempt: attempt, into: database) }
      if let jobOutcome {
        try database.cachedStatement(
          sql: """
            UPDATE jobs SET verdict = ?, reason = ?
            WHERE position = (SELECT job FROM attempts WHERE id = ?) AND verdict IS NULL
            """
        ).execute(arguments: [
          jobOutcome.verdict.text, jobOutcome.reason.storable, attempt
        ])
        try requireChange(database, "the job of attempt \(attempt) has ended already")
      }
    }
  }

  /// Ends jobs none of whose attempts is open, typically those that never began, in one transaction
  /// that is on the disk when this returns.
  public func finishJobs(
    _ outcomes: [(position: Int, outcome: Outcome)]
  ) throws(StoreFailure) {
    guard !outcomes.isEmpty else { return }
    try write(.machine) { database, _ in
      for (position, outcome) in outcomes {
        try database.cachedStatement(
          sql: "UPDATE jobs SET verdict = ?, reason = ? WHERE position = ? AND verdict IS NULL"
        ).execute(arguments: [outcome.verdict.text, outcome.reason.storable, position])
        try requireChange(database, "job \(position) does not exist or has ended already")
      }
    }
  }

  /// Attempts without an outcome that earlier lives left: their processes may still run. The caller
  /// ends those, and then each attempt with ``finishAttempt(_:_:jobOutcome:)``.
  public func openAttempts() throws(StoreFailure) -> [AttemptRecord] {
    try access { database, _ in
      try AttemptRecord.fetch(
        database, path: path, "WHERE verdict IS NULL AND life <> ? ORDER BY id", [life])
    }
  }

  func requireChange(_ database: Database, _ problem: String) throws(StoreFailure) {
    guard database.changesCount == 1 else {
      throw StoreFailure(.misuse, path: path, problem)
    }
  }

  private func fingerprint(
    _ content: [String: String], _ database: Database, _ state: State
  ) throws -> Int64? {
    guard !content.isEmpty else { return nil }
    if let last = state.fingerprint, last.content == content { return last.id }
    let json = Value.json(content).storable(limit: 16 << 20)
    let known = try Row.fetchOne(
      database.cachedStatement(sql: "SELECT id FROM fingerprints WHERE content = ?"),
      arguments: [json])
    let id: Int64
    if let known {
      id = try RowReader(row: known, path: path).integer(0)
    } else {
      try database.cachedStatement(sql: "INSERT INTO fingerprints (content) VALUES (?)")
        .execute(arguments: [json])
      id = database.lastInsertedRowID
    }
    state.fingerprint = (content, id)
    return id
  }
}

extension MetricValue {
  /// The value as SQLite keeps it; NaN, which it cannot, becomes NULL.
  var databaseValue: DatabaseValue {
    switch self {
    case .integer(let value): value.databaseValue
    case .number(let value): value.databaseValue
    case .text(let value): value.storable.databaseValue
    }
  }
}
