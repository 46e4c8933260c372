internal import GRDB
public import KelvinModel

/// What has happened on a board, or with a meter, since Kelvin first ran something on it.
public struct BoardHistory: Sendable, Hashable {
  /// Nanoseconds since 1970 UTC of the first thing on record.
  public var sinceWallNanoseconds: Int64
  /// All attempts at jobs, by how they ended.
  public var attempts: [Verdict: Int] = [:]
  /// Jobs that came to an end other than being stopped, and could have run on this board.
  public var jobs = 0
  /// See ``flakiness``.
  public var flakyJobs = 0
  /// By what brought the board back (``RecoveryRecord/outcome``); `lost` when nothing did.
  public var recoveries: [String: RecoveryTotal] = [:]
  /// The last time that an attempt failed because of the board, or that it had to be brought back.
  public var lastTrouble: Trouble?
  /// The last recoveries, newest first.
  public var lastRecoveries: [RecoveryRecord] = []

  /// Recoveries of one outcome.
  public struct RecoveryTotal: Sendable, Hashable {
    public var count: Int
    /// Of all of them.
    public var seconds: Double
    public var range: ClosedRange<Double>
  }

  /// Health checks that the board passed, and that it did not.
  public var checks = Checks()
  /// The last of them.
  public var lastCheck: HealthCheckRecord?

  /// Numbers of health checks.
  public struct Checks: Sendable, Hashable {
    public var passed = 0
    public var failed = 0
  }

  /// Something that went wrong.
  public struct Trouble: Sendable, Hashable {
    public var wallNanoseconds: Int64
    public var run: String
    public var text: String
  }

  /// The share of flaky jobs among all: a job is flaky when it ended `failed: target` or
  /// `failed: infrastructure`, or when its attempts disagreed (one ended otherwise than another; those
  /// that were stopped are left out).
  public var flakiness: Proportion { Proportion(flakyJobs, of: jobs) }

  /// How often nothing brought the board back.
  public var lost: Int { recoveries[RecoveryRecord.lost]?.count ?? 0 }

  /// How long it took to bring the board back, when something did; nil when nothing ever had to.
  public var timeToRecover: (mean: Double, range: ClosedRange<Double>)? {
    let back = recoveries.filter { $0.key != RecoveryRecord.lost }.values
    let count = back.reduce(0) { $0 + $1.count }
    guard count > 0, let shortest = back.map(\.range.lowerBound).min(),
      let longest = back.map(\.range.upperBound).max()
    else { return nil }
    return (back.reduce(0) { $0 + $1.seconds } / Double(count), shortest...max(shortest, longest))
  }

  /// How many attempts failed so.
  public func failures(_ kind: FailureKind) -> Int { attempts[.failed(kind)] ?? 0 }
}

extension BenchListing {
  /// Reads what has happened on a board, under this name or another; nil when nothing has.
  ///
  /// - Parameters:
  ///   - recoveries: how many of the last recoveries are read.
  ///   - directory: default: that of ``StateDirectory``.
  public static func history(
    of resource: BenchResource, recoveries: Int = 0, directory: String? = nil
  ) throws(StoreFailure) -> BoardHistory? {
    try reading(directory) { database, tables -> BoardHistory? in
      // Whoever only reads leaves a database as an older Kelvin made it.
      guard try database.tableExists("board_totals") else { return nil }
      return try tables.history(
        of: tables.historyRows(of: resource), recoveries: recoveries, in: database)
    } ?? nil
  }
}

extension BenchTables {
  fileprivate func history(
    of rows: [Int64], recoveries: Int, in database: Database
  ) throws -> BoardHistory? {
    guard !rows.isEmpty else { return nil }
    let marks = "(" + rows.map { _ in "?" }.joined(separator: ", ") + ")"
    func each(
      _ sql: String, limit: Int? = nil, _ body: (RowReader) throws -> Void
    ) throws {
      var arguments = StatementArguments(rows)
      if let limit { arguments += [max(0, limit)] }
      let cursor = try Row.fetchCursor(database, sql: sql, arguments: arguments)
      while let row = try cursor.next() { try body(RowReader(row: row, path: path)) }
    }
    var found: BoardHistory?
    try each(
      "SELECT since_wall_ns, jobs, flaky_jobs FROM board_totals WHERE resource IN \(marks)"
    ) { row in
      let since = try row.integer(0)
      var history = found ?? BoardHistory(sinceWallNanoseconds: since)
      history.sinceWallNanoseconds = min(history.sinceWallNanoseconds, since)
      history.jobs += try row.int(1)
      history.flakyJobs += try row.int(2)
      found = history
    }
    guard var history = found else { return nil }
    try each("SELECT verdict, attempts FROM attempt_totals WHERE resource IN \(marks)") { row in
      history.attempts[try row.verdict(0), default: 0] += try row.int(1)
    }
    try each(
      """
      SELECT outcome, recoveries, seconds, shortest, longest FROM recovery_totals
      WHERE resource IN \(marks)
      """
    ) { row in
      let shortest = try row.number(3)
      var total = BoardHistory.RecoveryTotal(
        count: try row.int(1), seconds: try row.number(2),
        range: shortest...max(shortest, try row.number(4)))
      if let other = history.recoveries[try row.text(0)] {
        total.count += other.count
        total.seconds += other.seconds
        total.range =
          min(
            total.range.lowerBound, other.range.lowerBound)...max(
            total.range.upperBound, other.range.upperBound)
      }
      history.recoveries[try row.text(0)] = total
    }
    try each(
      """
      SELECT run, finding, steps, outcome, seconds, ended_wall_ns FROM recoveries
      WHERE resource IN \(marks) ORDER BY id DESC LIMIT ?
      """, limit: max(1, recoveries)
    ) { row in
      history.lastRecoveries.append(
        RecoveryRecord(
          run: try row.text(0), finding: try row.text(1),
          steps: RecoveryRecord.steps(try row.json(2)),
          isBack: try row.text(3) != RecoveryRecord.lost, seconds: try row.number(4),
          endedWallNanoseconds: try row.integer(5)))
    }
    if let last = history.lastRecoveries.first {
      history.lastTrouble = .init(
        wallNanoseconds: last.endedWallNanoseconds, run: last.run, text: last.finding)
    }
    if recoveries <= 0 { history.lastRecoveries = [] }
    // Whoever only reads leaves a database as an older Kelvin made it.
    if try database.tableExists("health_checks") {
      try each("SELECT passed, failed FROM check_totals WHERE resource IN \(marks)") { row in
        history.checks.passed += try row.int(0)
        history.checks.failed += try row.int(1)
      }
      try each(
        """
        SELECT run, workload, cause, problem, seconds, ended_wall_ns FROM health_checks
        WHERE resource IN \(marks) ORDER BY id DESC LIMIT ?
        """, limit: 1
      ) { row in
        history.lastCheck = HealthCheckRecord(
          run: try row.text(0), workload: try row.text(1), cause: try row.text(2),
          problem: try row.optionalText(3), seconds: try row.number(4),
          endedWallNanoseconds: try row.integer(5))
      }
    }
    try each(
      """
      SELECT ended_wall_ns, run, verdict, reason FROM board_jobs
      WHERE resource IN \(marks) AND could_run = 1
        AND verdict IN ('failed: target', 'failed: infrastructure') ORDER BY id DESC LIMIT ?
      """, limit: 1
    ) { row in
      let wall = try row.integer(0)
      if let known = history.lastTrouble, known.wallNanoseconds >= wall { return }
      history.lastTrouble = .init(
        wallNanoseconds: wall, run: try row.text(1),
        text: "\(try row.text(2)): \(try row.text(3))")
    }
    return history
  }
}
