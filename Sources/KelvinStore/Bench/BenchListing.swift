internal import GRDB
internal import Glibc
internal import KelvinModel

/// What the bench database says of all boards and meters, also where nothing can be written.
public struct BenchListing: Sendable, Hashable {
  /// In the order of their names; those that are free included.
  public var resources: [ResourceStatus]

  /// What is known of one resource, by its name and by all other names of the same device.
  public func statuses(of resource: BenchResource) -> [ResourceStatus] {
    resources.filter { status in
      let other = status.resource
      return other.kind == resource.kind
        && (other.name == resource.name && other.bench == resource.bench
          || other.identity != nil && other.identity == resource.identity)
    }
  }

  /// Reads the bench database; when there is none, nothing is known.
  ///
  /// - Parameters:
  ///   - directory: default: that of ``StateDirectory``.
  ///   - host: the machine that the calling process runs on; default: this one.
  public static func read(
    directory: String? = nil, seenFrom host: HostIdentity? = nil
  ) throws(StoreFailure) -> BenchListing {
    let host = if let host { host } else { try HostIdentity.current() }
    let path = joined(directory ?? StateDirectory.path(), BenchStore.fileName)
    var status = stat()
    guard stat(path, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { return BenchListing(resources: []) }
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
            return BenchListing(resources: [])
          }
          return BenchListing(
            resources: try BenchTables(database, path: path).statuses(seenFrom: host))
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
    return ResourceStatus(
      resource: resource, state: state(of: rows), lease: lease,
      standing: lease?.holder.standing(seenFrom: host),
      reservation: reservation(of: rows, at: .now(on: host)), health: health(of: rows))
  }

  /// What is known of all resources, by name; an identity that has lost its name is called by it.
  func statuses(seenFrom host: HostIdentity) -> [ResourceStatus] {
    let named = Set(resources.values.compactMap(\.physical))
    return resources.values.filter { !$0.name.isEmpty || !named.contains($0.id) }
      .map { row in
        let identity = row.identity.isEmpty ? row.physical.flatMap { resources[$0]?.identity } : nil
        let resource = BenchResource(
          row.kind, row.name.isEmpty ? row.identity : row.name, bench: row.bench,
          identity: identity)
        let rows = row.name.isEmpty ? [row.id] : [row.id] + (row.physical.map { [$0] } ?? [])
        return status(of: resource, rows: rows, seenFrom: host)
      }.sorted { $0.resource < $1.resource }
  }
}
