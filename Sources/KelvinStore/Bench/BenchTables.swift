internal import GRDB
internal import KelvinModel
internal import KelvinSystem

/// All that bench.db says of the present, in memory: a bench has some dozens of resources, and what
/// may be done with one is then decided without SQL.
struct BenchTables {
  struct ResourceRow {
    var id: Int64
    var kind: BenchResource.Kind
    /// Empty in a row that stands for an identity.
    var name: String
    var bench: String
    /// Empty in a row that stands for a name.
    var identity: String
    /// Of a name, and of an identity as it is written: the row of the device that it last meant.
    var physical: Int64?

    /// Whether it is a name that was never seen with an identity.
    var standsAlone: Bool { !name.isEmpty && physical == nil }
  }
  struct Holding {
    var lease: Int64
    var isRecovering: Bool
    var external: ExternalBooking?
  }

  /// Of the database, for messages.
  let path: String
  var resources: [Int64: ResourceRow] = [:]
  var leases: [Int64: Lease] = [:]
  var holdings: [Int64: Holding] = [:]
  var reservations: [Int64: Reservation] = [:]
  var health: [Int64: BenchHealth] = [:]
  var outages: [Int64: Outage] = [:]

  init(_ database: Database, path: String) throws {
    self.path = path
    func rows(_ sql: String, _ body: (RowReader) throws -> Void) throws {
      let cursor = try Row.fetchCursor(database, sql: sql)
      while let row = try cursor.next() { try body(RowReader(row: row, path: path)) }
    }
    try rows("SELECT id, kind, name, bench, identity, physical FROM resources") { row in
      let id = try row.integer(0)
      resources[id] = ResourceRow(
        id: id, kind: try row.word(1, as: BenchResource.Kind.self), name: try row.text(2),
        bench: try row.text(3), identity: try row.text(4), physical: try row.optionalInteger(5))
    }
    try rows(
      """
      SELECT id, run, directory, purpose, user, host, machine_id, boot_id, process_namespace,
        process_id, start_ticks, taken_wall_ns, taken_boottime_ns FROM leases
      """
    ) { row in
      let id = try row.integer(0)
      let host = HostIdentity(
        name: try row.text(5), machineID: try row.text(6), bootID: try row.text(7),
        processNamespace: try row.text(8))
      leases[id] = Lease(
        id: id,
        holder: LeaseHolder(
          host: host,
          process: ProcessIdentity(
            processID: Int32(clamping: try row.integer(9)),
            startTicks: UInt64(bitPattern: try row.integer(10))), user: try row.text(4)),
        run: try row.text(1), directory: try row.text(2), purpose: try row.text(3),
        takenWallNanoseconds: try row.integer(11),
        takenBoottimeNanoseconds: try row.integer(12))
    }
    try rows(
      "SELECT resource, lease, recovering, external_release, external_granted FROM holdings"
    ) { row in
      let argv = try row.json(3).list?.compactMap(\.text)
      let isGranted = try row.integer(4) != 0
      holdings[try row.integer(0)] = Holding(
        lease: try row.integer(1), isRecovering: try row.integer(2) != 0,
        external: argv.map { ExternalBooking(release: $0, isGranted: isGranted) })
    }
    try rows(
      """
      SELECT resource, user, host, reason, made_wall_ns, expires_wall_ns, boot_id,
        expires_boottime_ns FROM reservations
      """
    ) { row in
      reservations[try row.integer(0)] = Reservation(
        user: try row.text(1), host: try row.text(2), reason: try row.text(3),
        madeWallNanoseconds: try row.integer(4),
        expires: BenchMoment(
          wallNanoseconds: try row.integer(5), bootID: try row.text(6),
          boottimeNanoseconds: try row.integer(7)))
    }
    try rows(
      "SELECT resource, condition, reason, evidence, user, host, since_wall_ns FROM health"
    ) { row in
      health[try row.integer(0)] = BenchHealth(
        try row.word(1, as: BenchHealth.Condition.self), reason: try row.text(2),
        evidence: try row.text(3), user: try row.text(4), host: try row.text(5),
        sinceWallNanoseconds: try row.integer(6))
    }
    // Whoever only reads leaves a database as an older Kelvin made it.
    guard try database.tableExists("outages") else { return }
    try rows(
      "SELECT resource, lease, user, host, process_id, reason, since_wall_ns FROM outages"
    ) { row in
      outages[try row.integer(0)] = Outage(
        lease: try row.integer(1), user: try row.text(2), host: try row.text(3),
        processID: Int32(clamping: try row.integer(4)), reason: try row.text(5),
        sinceWallNanoseconds: try row.integer(6))
    }
  }

  /// The rows that stand for a resource, as far as there are any: that of its name, then what it is
  /// known by, the device that it means or meant first.
  func rows(of resource: BenchResource) -> [Int64] {
    var rows: [Int64] = []
    func add(_ row: Int64?) {
      if let row, !rows.contains(row) { rows.append(row) }
    }
    let name = resources.values.first {
      $0.kind == resource.kind && $0.name == resource.name && $0.bench == resource.bench
        && $0.identity.isEmpty
    }
    add(name?.id)
    if resource.identities.isEmpty { add(name?.physical) }
    for identity in resource.identities {
      let written = row(identity: identity.written, resource.kind)
      for device in identity.devices { add(row(identity: device, resource.kind)?.id) }
      if identity.devices.isEmpty { add(written?.physical) }
      add(written?.id)
    }
    return rows
  }

  private func row(identity: String, _ kind: BenchResource.Kind) -> ResourceRow? {
    guard !identity.isEmpty else { return nil }
    return resources.values.first { $0.kind == kind && $0.identity == identity }
  }

  /// The state that the rows of one resource give together.
  func state(of rows: [Int64]) -> BoardState {
    let conditions = rows.compactMap { health[$0]?.condition }
    if conditions.contains(.disabled) { return .disabled }
    if conditions.contains(.quarantined) { return .quarantined }
    return leaseState(of: rows)
  }

  /// The state that only the lease gives.
  func leaseState(of rows: [Int64]) -> BoardState {
    let holdings = rows.compactMap { self.holdings[$0] }
    if holdings.isEmpty { return .free }
    return holdings.contains(where: \.isRecovering) ? .recovering : .leased
  }

  /// The health of one resource: what takes it out longest.
  func health(of rows: [Int64]) -> BenchHealth? {
    let all = rows.compactMap { health[$0] }
    return all.first { $0.condition == .disabled } ?? all.first
  }

  /// The leases on a resource: one, but when two names have turned out to be one device.
  func leases(on rows: [Int64]) -> [Lease] {
    var seen: Set<Int64> = []
    return rows.compactMap { holdings[$0]?.lease }.filter { seen.insert($0).inserted }
      .compactMap { leases[$0] }
  }

  /// Whether a lease is only what a command left that is gone: no run goes on with it, nothing is
  /// booked in another system, and nothing has to be restored. Whoever comes next gets it.
  ///
  /// - Parameter rows: of the resource that is asked for.
  func isAbandoned(
    _ lease: Lease, on rows: [Int64], seenFrom host: HostIdentity, at now: BenchMoment
  ) -> Bool {
    guard lease.run.isEmpty, lease.standing(seenFrom: host, at: now) == .dead else { return false }
    return !rows.compactMap { holdings[$0] }.contains {
      $0.lease == lease.id && ($0.isRecovering || $0.external != nil)
    }
  }

  /// What was switched off for a moment, and is not known to be on again.
  func outage(of rows: [Int64]) -> Outage? { rows.lazy.compactMap { outages[$0] }.first }

  /// A reservation that has not expired, its end told by the clock as it is set now.
  func reservation(of rows: [Int64], at now: BenchMoment) -> Reservation? {
    var found = rows.compactMap { reservations[$0] }.first { !$0.expires.isPast(at: now) }
    if let expires = found?.expires { found?.expires = expires.told(at: now) }
    return found
  }
}
