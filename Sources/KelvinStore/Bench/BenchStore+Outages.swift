internal import GRDB
internal import KelvinModel
internal import KelvinSystem

// What must be switched on again, whatever becomes of the process that switched it off.

extension BenchStore {
  /// Writes down that a board of a lease is switched off now, and will be on again soon. Comes before
  /// the switching.
  ///
  /// - Parameter reason: for people: what for.
  public func switchingOff(
    _ resource: BenchResource, in lease: Lease, reason: String
  ) throws(StoreFailure) {
    try write { database in
      let tables = try BenchTables(database, path: path)
      let rows = tables.rows(of: resource).filter { tables.holdings[$0]?.lease == lease.id }
      guard !rows.isEmpty else {
        throw StoreFailure(
          .misuse, path: path, "\(resource.label) is not, or no longer, part of lease \(lease.id)",
          hint: "somebody may have taken it over: see 'kelvin bench who'")
      }
      _ = try forgetOutage(of: rows, tables, in: database)
      let now = MonotonicTime.wallNanoseconds
      for row in rows {
        try database.execute(
          sql: """
            INSERT OR REPLACE INTO outages (resource, lease, user, host, process_id, reason,
              since_wall_ns) VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
          arguments: [
            row, lease.id, holder.user.storable, holder.host.name.storable,
            holder.process.processID, reason.storable(limit: BenchStore.textLimit), now
          ])
      }
      try record("outage", rows, run: lease.run, detail: reason, in: database)
    }
  }

  /// Forgets that a board was switched off for a moment: somebody has switched it since, on or off.
  ///
  /// - Returns: whether there was anything to forget.
  @discardableResult
  public func switched(_ resource: BenchResource, in lease: Lease) throws(StoreFailure) -> Bool {
    try write { database in
      let tables = try BenchTables(database, path: path)
      let rows = tables.rows(of: resource)
      guard try forgetOutage(of: rows, tables, in: database) else { return false }
      try record("end outage", rows, run: lease.run, in: database)
      return true
    }
  }

  /// Also under names by which the board was known then, and is not now.
  private func forgetOutage(
    of rows: [Int64], _ tables: BenchTables, in database: Database
  ) throws -> Bool {
    let over = Set(rows.compactMap { tables.outages[$0] })
    for (row, outage) in tables.outages where over.contains(outage) {
      try database.execute(sql: "DELETE FROM outages WHERE resource = ?", arguments: [row])
    }
    return !over.isEmpty
  }
}
