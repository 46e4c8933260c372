internal import GRDB
internal import KelvinModel
internal import KelvinSystem

extension BenchStore {
  /// Takes all resources of a request, or none: in one transaction, so that of any number of
  /// processes exactly one gets a resource, and none waits for another.
  ///
  /// A lease of the same run whose owner is dead is reclaimed, and so is one that a dead command left
  /// (``BenchTables/isAbandoned(_:on:seenFrom:at:)``). Leases of other runs whose owner is dead
  /// or cannot be seen are refused, unless the request takes them over; then the board's settings
  /// must be restored first (``LeaseGrant/Inheritance/mustRestore``). What was taken out is refused,
  /// unless the request is to look after it.
  public func acquire(_ request: LeaseRequest) throws(StoreFailure) -> LeaseAnswer {
    let resources = Array(Set(request.resources)).sorted()
    return try write { database in
      let tables = try BenchTables(database, path: path)
      let now = BenchMoment.now(on: holder.host)
      let found = resources.flatMap {
        problems(with: $0, for: request, tables: tables, now: now)
      }
      guard found.isEmpty else { return .refused(LeaseRefusal(found)) }
      let lease = try insertLease(for: request, now: now, in: database)
      var grant = LeaseGrant(lease: lease, resources: resources, inherited: [])
      for resource in resources {
        let rows = try ensureRows(of: resource, in: database)
        grant.inherited += try take(
          resource, rows, for: request, lease: lease, tables: tables, now: now, in: database)
        grant.outages[resource] = tables.outage(of: rows)
      }
      try database.execute(
        sql: "DELETE FROM leases WHERE id NOT IN (SELECT lease FROM holdings)")
      return .granted(grant)
    }
  }

  /// Gives everything of a lease back. A board in the middle of a recovery is quarantined.
  ///
  /// - Parameter inherited: what becomes the previous owners' orphan again, as it was: nothing has
  ///   been done with it yet.
  /// - Returns: whether the lease was still there: somebody may have taken it over.
  @discardableResult
  public func release(
    _ lease: Lease, puttingBack inherited: [LeaseGrant.Inheritance] = []
  ) throws(StoreFailure) -> Bool {
    try write { database in
      guard try BenchTables(database, path: path).leases[lease.id] != nil else { return false }
      for inheritance in inherited { try putBack(inheritance, from: lease, in: database) }
      let tables = try BenchTables(database, path: path)
      let held = tables.holdings.filter { $0.value.lease == lease.id }
      let devices = Set(held.keys.compactMap { tables.resources[$0]?.physical })
      for (row, holding) in held.sorted(by: { $0.key < $1.key }) {
        var state = tables.state(of: [row])
        // What is sick is the device where one is known, else the name.
        let isKnownAs = devices.contains(row) || tables.resources[row]?.standsAlone ?? false
        if tables.health[row] == nil, holding.isRecovering, isKnownAs {
          try insert(
            BenchHealth(
              .quarantined, reason: "given back in the middle of a recovery", user: holder.user,
              host: holder.host.name, sinceWallNanoseconds: MonotonicTime.wallNanoseconds),
            for: row, in: database)
        }
        try state.take(.release)
        if !(tables.resources[row]?.name.isEmpty ?? true) {
          try record("release", [row], run: lease.run, detail: state.rawValue, in: database)
        }
      }
      try database.execute(sql: "DELETE FROM leases WHERE id = ?", arguments: [lease.id])
      return true
    }
  }

  /// Whether a lease is still in force: nobody has taken it over.
  public func isInForce(_ lease: Lease) throws(StoreFailure) -> Bool {
    try read { database in
      try Int64.fetchOne(
        database, sql: "SELECT id FROM leases WHERE id = ?", arguments: [lease.id]) != nil
    }
  }

  /// Says that a board of a lease is in a known state again: after a take-over, or a recovery.
  public func restored(_ resource: BenchResource, in lease: Lease) throws(StoreFailure) {
    try change(resource, of: lease, .recovered) { database, rows in
      for row in rows {
        try database.execute(
          sql: "UPDATE holdings SET recovering = 0, restores = NULL WHERE resource = ?",
          arguments: [row])
      }
      try record("restored", rows, run: lease.run, in: database)
    }
  }

  /// Says that a board of a lease must be brought back to a known state.
  public func recover(
    _ resource: BenchResource, in lease: Lease, reason: String
  ) throws(StoreFailure) {
    try change(resource, of: lease, .recover) { database, rows in
      for row in rows {
        try database.execute(
          sql: "UPDATE holdings SET recovering = 1 WHERE resource = ?", arguments: [row])
      }
      try record("recover", rows, run: lease.run, detail: reason, in: database)
    }
  }

  /// Remembers that another system was asked for a resource of a lease, so that whoever gets it
  /// after a crash can give it back there; nil forgets it.
  public func setBooking(
    _ booking: ExternalBooking?, for resource: BenchResource, in lease: Lease
  ) throws(StoreFailure) {
    try write { database in
      for row in try BenchTables(database, path: path).rows(of: resource) {
        try database.execute(
          sql: """
            UPDATE holdings SET external_release = ?, external_granted = ?
            WHERE resource = ? AND lease = ?
            """,
          arguments: [
            booking.map { Value.list($0.release.map(Value.text)).json },
            booking?.isGranted == true ? 1 : 0, row, lease.id
          ])
      }
    }
  }

  // MARK: Parts

  private func change(
    _ resource: BenchResource, of lease: Lease, _ event: BoardState.Event,
    _ body: (Database, [Int64]) throws -> Void
  ) throws(StoreFailure) {
    try write { database in
      let tables = try BenchTables(database, path: path)
      let rows = tables.rows(of: resource).filter { tables.holdings[$0]?.lease == lease.id }
      guard !rows.isEmpty else {
        throw StoreFailure(
          .misuse, path: path, "\(resource.label) is not, or no longer, part of lease \(lease.id)",
          hint: "somebody may have taken it over: see 'kelvin bench who'")
      }
      var state = tables.leaseState(of: rows)
      try state.take(event)
      try body(database, rows)
    }
  }

  private func putBack(
    _ inherited: LeaseGrant.Inheritance, from lease: Lease, in database: Database
  ) throws {
    let tables = try BenchTables(database, path: path)
    let rows = tables.rows(of: inherited.resource).filter {
      tables.holdings[$0]?.lease == lease.id
    }
    guard !rows.isEmpty else { return }
    try insert(inherited.previous, id: inherited.previous.id, in: database)
    for row in rows {
      try database.execute(
        sql: """
          UPDATE holdings SET lease = ?, recovering = ?, external_release = ?,
            external_granted = ? WHERE resource = ?
          """,
        arguments: [
          inherited.previous.id, inherited.wasRecovering ? 1 : 0,
          inherited.external.map { Value.list($0.release.map(Value.text)).json },
          inherited.external?.isGranted == true ? 1 : 0, row
        ])
    }
    try record(
      "put back", rows, run: lease.run, detail: "to \(inherited.previous.holder.label)",
      in: database)
  }

  private func problems(
    with resource: BenchResource, for request: LeaseRequest, tables: BenchTables, now: BenchMoment
  ) -> [LeaseRefusal.Problem] {
    let rows = tables.rows(of: resource)
    var isOwn = false
    for lease in tables.leases(on: rows) {
      let standing = lease.standing(seenFrom: holder.host, at: now)
      if tables.isAbandoned(lease, on: rows, seenFrom: holder.host, at: now) { continue }
      let isSameRun = !request.run.isEmpty && lease.run == request.run
      if standing == .alive || !request.takesOver && !(isSameRun && standing == .dead) {
        return [.init(resource, .leased(lease, standing))]
      }
      isOwn = isOwn || isSameRun
    }
    if !request.attends, let health = tables.health(of: rows) {
      return [.init(resource, .unwell(health))]
    }
    // A run that goes on had the board before it was reserved.
    if !isOwn, let reservation = tables.reservation(of: rows, at: now),
      reservation.user != holder.user
    {
      return [.init(resource, .reserved(reservation))]
    }
    return []
  }

  private func insertLease(
    for request: LeaseRequest, now: BenchMoment, in database: Database
  ) throws -> Lease {
    var lease = Lease(
      id: 0, holder: holder, run: request.run, directory: request.directory,
      purpose: request.purpose, takenWallNanoseconds: now.wallNanoseconds,
      takenBoottimeNanoseconds: now.boottimeNanoseconds)
    try insert(lease, id: nil, in: database)
    lease.id = database.lastInsertedRowID
    return lease
  }

  private func insert(_ lease: Lease, id: Int64?, in database: Database) throws {
    let host = lease.holder.host
    try database.execute(
      sql: """
        INSERT OR IGNORE INTO leases (id, run, directory, purpose, user, host, machine_id, boot_id,
          process_namespace, process_id, start_ticks, taken_wall_ns, taken_boottime_ns)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        id, lease.run.storable, lease.directory.storable,
        lease.purpose.storable(limit: BenchStore.textLimit), lease.holder.user.storable,
        host.name.storable, host.machineID.storable, host.bootID.storable,
        host.processNamespace.storable, lease.holder.process.processID,
        Int64(bitPattern: lease.holder.process.startTicks), lease.takenWallNanoseconds,
        lease.takenBoottimeNanoseconds
      ])
  }

  private func take(
    _ resource: BenchResource, _ rows: [Int64], for request: LeaseRequest, lease: Lease,
    tables: BenchTables, now: BenchMoment, in database: Database
  ) throws -> [LeaseGrant.Inheritance] {
    let previous = tables.leases(on: rows)
    func isAbandoned(_ old: Lease) -> Bool {
      tables.isAbandoned(old, on: rows, seenFrom: holder.host, at: now)
    }
    let inForce = previous.filter { !isAbandoned($0) }
    var state = tables.state(of: rows)
    let isReclaimed =
      !request.run.isEmpty && !inForce.isEmpty && inForce.allSatisfy { $0.run == request.run }
    var mustRestore = tables.leaseState(of: rows) == .recovering
    if tables.health(of: rows) != nil {
      try state.take(.attend)
      mustRestore = mustRestore || !inForce.isEmpty && !isReclaimed
    } else {
      if inForce.isEmpty {
        if !previous.isEmpty { try state.take(.release) }
        try state.take(.acquire)
      } else if !isReclaimed {
        try state.take(.takeOver)
      }
      mustRestore = state == .recovering
    }
    let booking = rows.compactMap { tables.holdings[$0]?.external }.first
    for row in rows {
      try database.execute(
        sql: """
          INSERT OR REPLACE INTO holdings (resource, lease, recovering, restores,
            external_release, external_granted)
          VALUES (?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          row, lease.id, mustRestore ? 1 : 0,
          mustRestore ? previous.map(\.run).joined(separator: " ") : nil,
          booking.map { Value.list($0.release.map(Value.text)).json },
          booking?.isGranted == true ? 1 : 0
        ])
    }
    guard !previous.isEmpty else {
      try record("acquire", rows, run: lease.run, detail: lease.purpose, in: database)
      return []
    }
    for old in previous {
      try record(
        isAbandoned(old) ? "clear" : isReclaimed ? "reclaim" : "take over", rows, run: lease.run,
        detail: "from \(old.holder.label), run \(old.run.isEmpty ? "none" : old.run)", in: database)
    }
    return previous.map { old in
      LeaseGrant.Inheritance(
        resource: resource, previous: old, isReclaimed: isReclaimed && !isAbandoned(old),
        isAbandoned: isAbandoned(old), mustRestore: mustRestore && !isAbandoned(old),
        wasRecovering: tables.leaseState(of: rows) == .recovering, external: booking)
    }
  }
}
