internal import GRDB
internal import KelvinModel

// What keeps a board or meter from everybody, or for somebody; and what is known of all of them.

extension BenchStore {
  /// Takes a resource out because it was found sick. Whoever has it keeps it to the end.
  public func quarantine(
    _ resource: BenchResource, reason: String, evidence: String = ""
  ) throws(StoreFailure) {
    try takeOut(resource, .quarantine, .quarantined, reason: reason, evidence: evidence)
  }

  /// Takes a resource out because somebody wants so. Whoever has it keeps it to the end.
  ///
  /// - Returns: the lease under which it is still used.
  @discardableResult
  public func disable(
    _ resource: BenchResource, reason: String
  ) throws(StoreFailure) -> ResourceStatus {
    try takeOut(resource, .disable, .disabled, reason: reason, evidence: "")
    return try status(of: resource)
  }

  /// Puts a resource back: somebody, or a passed health check, says that it is well.
  ///
  /// - Parameter condition: only from this one; nil: from any.
  /// - Returns: whether it had been out so, and is not any more.
  public func enable(
    _ resource: BenchResource, reason: String = "", from condition: BenchHealth.Condition? = nil
  ) throws(StoreFailure) -> Bool {
    try write { database in
      let tables = try BenchTables(database, path: path)
      let rows = tables.rows(of: resource)
      var state = tables.state(of: rows)
      guard state == .quarantined || state == .disabled else { return false }
      guard condition == nil || tables.health(of: rows)?.condition == condition else {
        return false
      }
      let leased = tables.leaseState(of: rows)
      try state.take(leased == .free ? .enable : .enableLeased)
      if leased == .recovering { try state.take(.recover) }
      for row in rows {
        try database.execute(sql: "DELETE FROM health WHERE resource = ?", arguments: [row])
      }
      try trust(tables.historyRows(of: resource), in: database)
      try record("enable", rows, detail: reason, in: database)
      return true
    }
  }

  /// Keeps a resource for the holder's user; one's own earlier reservation is replaced.
  ///
  /// - Returns: nil when it is reserved now; else whose reservation is in the way.
  public func reserve(
    _ resource: BenchResource, forNanoseconds duration: Int64, reason: String
  ) throws(StoreFailure) -> LeaseRefusal? {
    try write { database in
      let now = BenchMoment.now(on: holder.host)
      let tables = try BenchTables(database, path: path)
      if let other = tables.reservation(of: tables.rows(of: resource), at: now),
        other.user != holder.user
      {
        return LeaseRefusal([.init(resource, .reserved(other))])
      }
      let rows = try ensureRows(of: resource, in: database)
      let end = now.advanced(byNanoseconds: duration)
      for row in rows {
        try database.execute(
          sql: """
            INSERT OR REPLACE INTO reservations (resource, user, host, reason, made_wall_ns,
              expires_wall_ns, boot_id, expires_boottime_ns)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
          arguments: [
            row, holder.user.storable, holder.host.name.storable,
            reason.storable(limit: BenchStore.textLimit), now.wallNanoseconds,
            end.wallNanoseconds, end.bootID, end.boottimeNanoseconds
          ])
      }
      try record(
        "reserve", rows,
        detail: "until \(WallTime.text(nanoseconds: end.wallNanoseconds)): \(reason)",
        in: database)
      return nil
    }
  }

  /// What became of a wish to end a reservation.
  public enum Cancellation: Sendable, Hashable {
    case ended(Reservation)
    case nothingReserved
    case refused(LeaseRefusal)
  }

  /// Ends a reservation.
  ///
  /// - Parameter force: another user's, too.
  public func cancelReservation(
    of resource: BenchResource, force: Bool = false
  ) throws(StoreFailure) -> Cancellation {
    try write { database in
      let now = BenchMoment.now(on: holder.host)
      let tables = try BenchTables(database, path: path)
      let rows = tables.rows(of: resource)
      guard let reservation = tables.reservation(of: rows, at: now) else { return .nothingReserved }
      guard force || reservation.user == holder.user else {
        return .refused(LeaseRefusal([.init(resource, .reserved(reservation))]))
      }
      for row in rows {
        try database.execute(sql: "DELETE FROM reservations WHERE resource = ?", arguments: [row])
      }
      try record("end reservation", rows, detail: "of \(reservation.user)", in: database)
      return .ended(reservation)
    }
  }

  /// What is known of one resource; free when nothing is.
  public func status(of resource: BenchResource) throws(StoreFailure) -> ResourceStatus {
    try read { database in
      let tables = try BenchTables(database, path: path)
      return tables.status(of: resource, rows: tables.rows(of: resource), seenFrom: holder.host)
    }
  }

  // MARK: Parts

  private func takeOut(
    _ resource: BenchResource, _ event: BoardState.Event, _ condition: BenchHealth.Condition,
    reason: String, evidence: String
  ) throws(StoreFailure) {
    try write { database in
      let rows = try ensureRows(of: resource, in: database)
      let tables = try BenchTables(database, path: path)
      var state = tables.state(of: rows)
      // Said twice, the last reason counts; a board that somebody took out stays so.
      if state == .disabled {
        guard condition == .disabled else { return }
      } else {
        try state.take(event)
      }
      let health = BenchHealth(
        condition, reason: reason, evidence: evidence, user: holder.user, host: holder.host.name,
        sinceWallNanoseconds: MonotonicTime.wallNanoseconds)
      for row in rows {
        try database.execute(sql: "DELETE FROM health WHERE resource = ?", arguments: [row])
      }
      // What is sick is the device, whatever it is called and however it is described.
      if let row = rows.dropFirst().first ?? rows.first {
        try insert(health, for: row, in: database)
      }
      let detail = evidence.isEmpty ? reason : "\(reason) (\(evidence))"
      try record(
        condition == .disabled ? "disable" : "quarantine", rows, detail: detail, in: database)
    }
  }

  /// Writes a record of health.
  func insert(_ health: BenchHealth, for row: Int64, in database: Database) throws {
    try database.execute(
      sql: """
        INSERT OR REPLACE INTO health (resource, condition, reason, evidence, user, host,
          since_wall_ns)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        row, health.condition.rawValue, health.reason.storable(limit: BenchStore.textLimit),
        health.evidence.storable(limit: BenchStore.textLimit), health.user.storable,
        health.host.storable, health.sinceWallNanoseconds
      ])
  }
}
