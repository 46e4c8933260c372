internal import GRDB
internal import KelvinModel

/// All of a metric but its value. Kept once per run, since thousands of values share it.
struct MetricType: Hashable {
  var name: String
  var unit: String
  var lowerIsBetter: Bool?
  var classifiers: [String: String]
  var source: String

  init(of metric: Metric) {
    name = metric.name
    unit = metric.unit
    lowerIsBetter = metric.lowerIsBetter
    classifiers = metric.classifiers
    source = metric.source
  }

  /// Reads a row of name, unit, lower_is_better, classifiers, source, from `column` on.
  init(_ row: RowReader, from column: Int = 0) throws(StoreFailure) {
    name = try row.text(column)
    unit = try row.text(column + 1)
    lowerIsBetter = try row.optionalInteger(column + 2).map { $0 != 0 }
    classifiers = try row.texts(column + 3)
    source = try row.text(column + 4)
  }

  /// A metric of this type.
  func metric(_ value: MetricValue) -> Metric {
    Metric(
      name, value, unit: unit, lowerIsBetter: lowerIsBetter, classifiers: classifiers,
      source: source)
  }
}

extension RunStore {
  /// The id of a metric's type, which is inserted if it is new.
  func type(
    of metric: Metric, _ database: Database, _ state: State
  ) throws -> Int64 {
    let type = MetricType(of: metric)
    if let id = state.metricTypes[type] { return id }
    let arguments: StatementArguments = [
      type.name.storable, type.unit.storable, type.lowerIsBetter.map { $0 ? 1 : 0 },
      Value.json(type.classifiers).storable, type.source.storable
    ]
    let known = try Row.fetchOne(
      database.cachedStatement(
        sql: """
          SELECT id FROM metric_types
          WHERE name = ? AND unit = ? AND lower_is_better IS ? AND classifiers = ? AND source = ?
          """),
      arguments: arguments)
    let id: Int64
    if let known {
      id = try RowReader(row: known, path: path).integer(0)
    } else {
      try database.cachedStatement(
        sql: """
          INSERT INTO metric_types (name, unit, lower_is_better, classifiers, source)
          VALUES (?, ?, ?, ?, ?)
          """
      ).execute(arguments: arguments)
      id = database.lastInsertedRowID
    }
    // Types are few, unless classifiers differ from job to job.
    if state.metricTypes.count >= 10_000 { state.metricTypes = [:] }
    state.metricTypes[type] = id
    return id
  }
}
