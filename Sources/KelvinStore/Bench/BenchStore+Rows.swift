internal import GRDB
internal import KelvinModel
internal import KelvinSystem

// Rows of resources, and the record of what was done.

extension BenchStore {
  /// How many events are kept; the oldest go.
  static let eventLimit: Int64 = 20_000
  /// A reason or evidence that is longer is cut.
  static let textLimit = 16_384

  /// The rows of a resource; makes those that are missing, and remembers which device is meant now.
  func ensureRows(of resource: BenchResource, in database: Database) throws -> [Int64] {
    func row(name: String, bench: String, identity: String) throws -> Int64 {
      let key: StatementArguments = [resource.kind.rawValue, name, bench, identity]
      try database.execute(
        sql: "INSERT OR IGNORE INTO resources (kind, name, bench, identity) VALUES (?, ?, ?, ?)",
        arguments: key)
      let row = try Row.fetchOne(
        database,
        sql: """
          SELECT id, physical FROM resources
          WHERE kind = ? AND name = ? AND bench = ? AND identity = ?
          """, arguments: key)
      guard let row else {
        throw StoreFailure(.corrupt, path: path, "the database is damaged")
      }
      return try RowReader(row: row, path: path).integer(0)
    }
    func remember(_ device: Int64, of row: Int64) throws {
      try database.execute(
        sql: "UPDATE resources SET physical = ? WHERE id = ?", arguments: [device, row])
    }
    let named = try row(
      name: resource.name.storable, bench: resource.bench.storable, identity: "")
    for (index, identity) in resource.identities.enumerated() where !identity.written.isEmpty {
      let written = try row(name: "", bench: "", identity: identity.written.storable)
      let devices = try identity.devices.map {
        try row(name: "", bench: "", identity: $0.storable)
      }
      if let device = devices.first { try remember(device, of: written) }
      guard index == 0 else { continue }
      let last = try Int64.fetchOne(
        database, sql: "SELECT physical FROM resources WHERE id = ?", arguments: [written])
      try remember(devices.first ?? last ?? written, of: named)
    }
    return try BenchTables(database, path: path).rows(of: resource)
  }

  /// What was done to a resource.
  func record(
    _ action: String, _ rows: [Int64], run: String = "", detail: String = "",
    in database: Database
  ) throws {
    guard let resource = rows.first else { return }
    let now = BenchMoment.now(on: holder.host)
    try database.execute(
      sql: """
        INSERT INTO events (wall_ns, boot_id, boottime_ns, user, host, process_id, resource, run,
          action, detail)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        now.wallNanoseconds, now.bootID, now.boottimeNanoseconds, holder.user.storable,
        holder.host.name.storable, holder.process.processID, resource, run.storable, action,
        detail.storable(limit: BenchStore.textLimit)
      ])
    try database.execute(
      sql: "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?",
      arguments: [BenchStore.eventLimit])
  }
}
