internal import GRDB
internal import Glibc
internal import KelvinModel

/// What the bench database says of all boards and meters, also where nothing can be written.
public struct BenchListing: Sendable, Hashable {
  /// In the order of their names; those that are free included.
  public var resources: [ResourceStatus]

  /// Reads the bench database; when there is none, nothing is known.
  ///
  /// - Parameters:
  ///   - directory: default: that of ``StateDirectory``.
  ///   - host: the machine that the calling process runs on; default: this one.
  public static func read(
    directory: String? = nil, seenFrom host: HostIdentity? = nil
  ) throws(StoreFailure) -> BenchListing {
    let host = if let host { host } else { try HostIdentity.current() }
    let resources = try reading(directory) { _, tables in tables.statuses(seenFrom: host) }
    return BenchListing(resources: resources ?? [])
  }

  /// Reads what is known of one resource, by its name and by all that it is known by besides; free
  /// when nothing is.
  ///
  /// - Parameters: as of ``read(directory:seenFrom:)``.
  public static func status(
    of resource: BenchResource, directory: String? = nil, seenFrom host: HostIdentity? = nil
  ) throws(StoreFailure) -> ResourceStatus {
    let host = if let host { host } else { try HostIdentity.current() }
    return try reading(directory) { _, tables in
      tables.status(of: resource, rows: tables.rows(of: resource), seenFrom: host)
    } ?? ResourceStatus(resource: resource, state: .free)
  }

  /// Reads the descriptions of devices that nobody has found yet, and that somebody has or keeps all
  /// the same, or has taken out: one of them may mean a device that is found now.
  ///
  /// - Parameter directory: default: that of ``StateDirectory``.
  public static func descriptionsInUse(
    of kind: BenchResource.Kind, directory: String? = nil
  ) throws(StoreFailure) -> [String] {
    try reading(directory) { _, tables in
      tables.resources.values.filter { row in
        row.kind == kind && row.name.isEmpty && row.physical == nil
          && (tables.holdings[row.id] != nil || tables.reservations[row.id] != nil
            || tables.health[row.id] != nil)
      }.map(\.identity).sorted()
    } ?? []
  }

  /// Runs `body` on one state of the database; nil when there is none, or an empty one.
  static func reading<T>(
    _ directory: String?, _ body: (Database, BenchTables) throws -> T
  ) throws(StoreFailure) -> T? {
    let path = joined(directory ?? StateDirectory.path(), BenchStore.fileName)
    var status = stat()
    guard stat(path, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw StoreFailure(makingFileAt: path, error: errno).ofBench
    }
    do throws(StoreFailure) {
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw StoreFailure(.notABench, path: path, "not a file")
      }
      let queue = try RunReader.open(path)
      return try translating(path: path) {
        try queue.read { database in
          let known = BenchSchema.migrations.count
          guard try BenchSchema.version(database, path: path, known: known) > 0 else {
            return nil
          }
          return try body(database, BenchTables(database, path: path))
        }
      }
    } catch {
      throw error.ofBench
    }
  }
}

extension BenchTables {
  /// What is known of one resource.
  func status(
    of resource: BenchResource, rows: [Int64], seenFrom host: HostIdentity
  ) -> ResourceStatus {
    let lease = leases(on: rows).first
    let now = BenchMoment.now(on: host)
    return ResourceStatus(
      resource: resource, state: state(of: rows), lease: lease,
      standing: lease?.standing(seenFrom: host, at: now),
      reservation: reservation(of: rows, at: now), health: health(of: rows),
      outage: outage(of: rows),
      isAbandoned: lease.map { isAbandoned($0, on: rows, seenFrom: host, at: now) } ?? false)
  }

  /// What is known of all resources, by name; an identity that nothing named stands for any more is
  /// called by itself.
  func statuses(seenFrom host: HostIdentity) -> [ResourceStatus] {
    let named = resources.values.filter { !$0.name.isEmpty }
    let covered = Set(named.flatMap { rows(standingFor: $0) })
    let leases = Set(named.compactMap { holdings[$0.id]?.lease })
    let reservations = Set(named.compactMap { self.reservations[$0.id] })
    return resources.values.filter { row in
      guard row.name.isEmpty else { return true }
      if covered.contains(row.id) { return false }
      // A way to a board that has other ways, too, says nothing new of it.
      return health[row.id] != nil || holdings[row.id].map { !leases.contains($0.lease) } ?? false
        || self.reservations[row.id].map { !reservations.contains($0) } ?? false
    }.map { row in
      let identity = row.identity.isEmpty ? row.physical.flatMap { resources[$0]?.identity } : nil
      let resource = BenchResource(
        row.kind, row.name.isEmpty ? row.identity : row.name, bench: row.bench, identity: identity)
      return status(of: resource, rows: rows(standingFor: row), seenFrom: host)
    }.sorted { $0.resource < $1.resource }
  }

  /// A row, the device that it means, and whatever else is known to mean that.
  private func rows(standingFor row: ResourceRow) -> [Int64] {
    guard let device = row.physical else { return [row.id] }
    return [row.id, device]
      + resources.values.filter { $0.name.isEmpty && $0.physical == device }.map(\.id)
  }
}
