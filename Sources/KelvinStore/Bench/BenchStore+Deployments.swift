internal import GRDB
internal import KelvinModel

/// What was deployed to a board last, and shown to run.
public struct DeploymentRecord: Sendable, Hashable {
  /// How it got there: `kexec`.
  public var way: String
  /// Tells images apart, as JSON: SHA-256 of each file, the command line.
  public var image: String
  /// The running kernel's, lower-case hex; empty where it has none.
  public var buildID: String
  /// The board's boot in which it was shown to run.
  public var boardBootID: String
  /// The run that deployed it.
  public var run: String

  /// Creates a record.
  public init(way: String, image: String, buildID: String, boardBootID: String, run: String) {
    self.way = way
    self.image = image
    self.buildID = buildID
    self.boardBootID = boardBootID
    self.run = run
  }
}

// What runs on a board that it would not run by itself.

extension BenchStore {
  /// What was deployed last, under whatever name the board was known then; nil: nothing, or nobody knows.
  public func deployment(
    of resource: BenchResource
  ) throws(StoreFailure) -> DeploymentRecord? {
    try read { database in
      var last: (record: DeploymentRecord, time: Int64)?
      for row in try BenchTables(database, path: path).rows(of: resource) {
        let found = try Row.fetchOne(
          database,
          sql: """
            SELECT way, image, build_id, board_boot_id, run, deployed_wall_ns FROM deployments
            WHERE resource = ?
            """, arguments: [row])
        guard let found else { continue }
        let reader = RowReader(row: found, path: path)
        let time = try reader.integer(5)
        guard time > last?.time ?? .min else { continue }
        last = (
          DeploymentRecord(
            way: try reader.text(0), image: try reader.text(1), buildID: try reader.text(2),
            boardBootID: try reader.text(3), run: try reader.text(4)), time
        )
      }
      return last?.record
    }
  }

  /// Notes what a board runs now; nil: nobody knows, or what it boots by itself.
  public func deployed(
    _ record: DeploymentRecord?, to resource: BenchResource
  ) throws(StoreFailure) {
    try write { database in
      let rows = try ensureRows(of: resource, in: database)
      // Also under names by which the board was known then, and is not now.
      for row in rows {
        try database.execute(
          sql: """
            DELETE FROM deployments WHERE (run, deployed_wall_ns) IN
              (SELECT run, deployed_wall_ns FROM deployments WHERE resource = ?)
            """, arguments: [row])
      }
      let now = MonotonicTime.wallNanoseconds
      for row in rows {
        guard let record else { break }
        try database.execute(
          sql: """
            INSERT INTO deployments (resource, way, image, build_id, board_boot_id, run,
              deployed_wall_ns) VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
          arguments: [
            row, record.way.storable, record.image.storable, record.buildID.storable,
            record.boardBootID.storable, record.run.storable, now
          ])
      }
      // What nobody has seen run did not happen yet.
      guard let record, !record.boardBootID.isEmpty else { return }
      try self.record(
        "deploy", rows, run: record.run, detail: "\(record.way): \(record.image)", in: database)
    }
  }
}
