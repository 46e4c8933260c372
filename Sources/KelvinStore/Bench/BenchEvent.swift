internal import GRDB
internal import KelvinModel

/// Something that was done to a board or meter.
public struct BenchEvent: Sendable, Hashable {
  public var wallNanoseconds: Int64
  /// Who did it, and where.
  public var user: String
  public var host: String
  public var processID: Int32
  /// The name by which it was done: another bench file may have another.
  public var resource: String
  /// The run's id; empty outside of a run.
  public var run: String
  /// `acquire`, `quarantine`, ... (docs/bench-database.md).
  public var action: String
  public var detail: String
}

extension BenchListing {
  /// Reads what was last done to a resource, under this name or another, newest first.
  ///
  /// - Parameters:
  ///   - limit: most events that are read.
  ///   - directory: default: that of ``StateDirectory``.
  public static func events(
    of resource: BenchResource, limit: Int, directory: String? = nil
  ) throws(StoreFailure) -> [BenchEvent] {
    try reading(directory) { database, tables in
      try tables.events(of: tables.rows(of: resource), limit: limit, in: database)
    } ?? []
  }
}

extension BenchTables {
  fileprivate func events(
    of rows: [Int64], limit: Int, in database: Database
  ) throws -> [BenchEvent] {
    let names = resources.values.filter { $0.physical.map(rows.contains) ?? false }.map(\.id)
    let all = Set(rows + names).sorted()
    guard !all.isEmpty, limit > 0 else { return [] }
    let marks = all.map { _ in "?" }.joined(separator: ", ")
    return try Row.fetchAll(
      database,
      sql: """
        SELECT e.wall_ns, e.user, e.host, e.process_id, r.name, r.identity, e.run, e.action,
          e.detail
        FROM events e JOIN resources r ON r.id = e.resource
        WHERE e.resource IN (\(marks)) ORDER BY e.id DESC LIMIT ?
        """, arguments: StatementArguments(all) + [limit]
    ).map { row in
      let row = RowReader(row: row, path: path)
      let name = try row.text(4)
      return BenchEvent(
        wallNanoseconds: try row.integer(0), user: try row.text(1), host: try row.text(2),
        processID: Int32(clamping: try row.integer(3)),
        resource: name.isEmpty ? try row.text(5) : name, run: try row.text(6),
        action: try row.text(7), detail: try row.text(8))
    }
  }
}
