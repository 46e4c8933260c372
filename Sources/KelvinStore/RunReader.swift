internal import GRDB
public import KelvinModel
internal import Synchronization

/// Reads a run: while it goes on, after it ended, and also where nothing can be written.
///
/// Calls block the caller's thread and may come from any thread; each sees all that was committed
/// before it.
public final class RunReader: Sendable {
  /// The run directory, as it was given.
  public let directory: String
  let path: String
  private let queue: DatabaseQueue
  private let metricTypes = Mutex<[Int64: MetricType]>([:])
  private let someSpecs = Mutex<[Int: JobSpec]>([:])

  /// Opens the run in a directory.
  ///
  /// - Throws: ``StoreFailure``: `notFound`, `notARun`, `newerSchema`, `corrupt`, ...
  public init(directory: String) throws(StoreFailure) {
    self.directory = directory
    let path = joined(directory, RunStore.fileName)
    self.path = path
    let queue = try RunReader.open(path)
    try translating(path: path) { try Schema.check(queue, path: path) }
    self.queue = queue
  }

  /// The run, its lives, and the files it was made from.
  public func run() throws(StoreFailure) -> RunInfo {
    try readTogether { database in try RunInfo.fetch(database, path: path, sources: true) }
  }

  /// The whole plan.
  public func plan() throws(StoreFailure) -> Plan {
    try readTogether { database in
      let info = try RunInfo.fetch(database, path: path, sources: false)
      let jobs = try Row.fetchAll(
        database, sql: "SELECT spec, iteration FROM jobs ORDER BY position"
      ).map { row in
        let row = RowReader(row: row, path: path)
        return PlannedJob(spec: try row.int(0), iteration: try row.int(1))
      }
      let plan = Plan(settings: info.settings, specs: try specs(database), jobs: jobs)
      guard plan.jobs.allSatisfy({ $0.spec < plan.specs.count }) else {
        throw StoreFailure(
          .corrupt, path: path, "the database is damaged", evidence: "a job has no spec")
      }
      return plan
    }
  }

  /// The plan's specs, which ``JobRecord/spec`` indexes.
  public func specs() throws(StoreFailure) -> [JobSpec] {
    try read { database in try specs(database) }
  }

  /// The spec at a position, which ``JobRecord/spec`` names; cheap when asked again.
  public func spec(_ position: Int) throws(StoreFailure) -> JobSpec {
    if let spec = someSpecs.withLock({ $0[position] }) { return spec }
    let spec = try read { database in
      let statement = try database.cachedStatement(
        sql: JobSpec.selection + " WHERE position = ?")
      guard let row = try Row.fetchOne(statement, arguments: [position]) else {
        throw StoreFailure(
          .corrupt, path: path, "the database is damaged", evidence: "spec \(position) is missing")
      }
      return try JobSpec(RowReader(row: row, path: path))
    }
    someSpecs.withLock { specs in
      if specs.count >= 1000 { specs = [:] }
      specs[position] = spec
    }
    return spec
  }

  private func specs(_ database: Database) throws -> [JobSpec] {
    var specs: [JobSpec] = []
    let rows = try Row.fetchCursor(database, sql: JobSpec.selection + " ORDER BY position")
    while let row = try rows.next() {
      let row = RowReader(row: row, path: path)
      guard try row.int(0) == specs.count else {
        throw StoreFailure(
          .corrupt, path: path, "the database is damaged", evidence: "a spec is missing")
      }
      specs.append(try JobSpec(row))
    }
    return specs
  }

  /// The metrics of the run as a whole.
  public func runMetrics() throws(StoreFailure) -> [Metric] {
    try read { database in
      try metrics(database, "SELECT * FROM run_metrics ORDER BY ordinal", [], from: 1)
    }
  }

  /// The target's fingerprint that an attempt names; empty when there is none.
  public func fingerprint(_ id: Int64) throws(StoreFailure) -> [String: String] {
    try read { database in
      let row = try Row.fetchOne(
        database, sql: "SELECT content FROM fingerprints WHERE id = ?", arguments: [id])
      return try row.map { try RowReader(row: $0, path: path).texts(0) } ?? [:]
    }
  }

  // MARK: - Access

  /// Runs `body`, which executes one statement.
  func read<T>(_ body: (Database) throws -> T) throws(StoreFailure) -> T {
    try translating(path: path) { try queue.unsafeRead(body) }
  }

  /// Runs `body` in a transaction, so that all it reads is of one moment.
  func readTogether<T>(_ body: (Database) throws -> T) throws(StoreFailure) -> T {
    try translating(path: path) { try queue.read(body) }
  }

  func backup(to copy: DatabaseQueue) throws { try queue.backup(to: copy) }

  /// Reads metrics from rows that have type, value and, since version 6, uncertainty from `column` on.
  func metrics(
    _ database: Database, _ sql: String, _ arguments: StatementArguments, from column: Int
  ) throws -> [Metric] {
    let rows = try Row.fetchCursor(database.cachedStatement(sql: sql), arguments: arguments)
    var metrics: [Metric] = []
    while let row = try rows.next() {
      let row = RowReader(row: row, path: path)
      let type = try metricType(try row.integer(column), database)
      var metric = type.metric(try row.metricValue(column + 1))
      if row.count > column + 2 { metric.uncertainty = try row.optionalNumber(column + 2) }
      metrics.append(metric)
    }
    return metrics
  }

  private func metricType(_ id: Int64, _ database: Database) throws -> MetricType {
    if let type = metricTypes.withLock({ $0[id] }) { return type }
    let row = try Row.fetchOne(
      database.cachedStatement(
        sql: """
          SELECT name, unit, lower_is_better, classifiers, source FROM metric_types WHERE id = ?
          """),
      arguments: [id])
    guard let row else {
      throw StoreFailure(
        .corrupt, path: path, "the database is damaged", evidence: "metric type \(id) is missing")
    }
    let type = try MetricType(RowReader(row: row, path: path))
    metricTypes.withLock { types in
      if types.count >= 10_000 { types = [:] }
      types[id] = type
    }
    return type
  }
}
