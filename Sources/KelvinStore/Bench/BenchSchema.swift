internal import GRDB

/// The schema of bench.db, described in docs/bench-database.md.
///
/// Each released version stays as it is; a change is one more element of ``migrations``, plus a dump
/// of the new schema in Tests/KelvinStoreTests/Fixtures.
enum BenchSchema {
  /// "Klvb"; `file` and Kelvin know a bench database by it.
  static let applicationID: Int64 = 0x4B6C_7662
  /// Statements that lead from one version to the next; user_version counts how many were made.
  static let migrations = [version1, version2, version3, version4]

  /// Brings a database to the present version, in one transaction: of several processes that open an
  /// old one at once, one does it and the others find it done.
  ///
  /// - Throws: ``StoreFailure`` with code `notABench` or `newerSchema`, or what SQLite says.
  static func migrate(
    _ database: Database, path: String, migrations: [String] = migrations
  ) throws {
    // Nothing is written to what is no bench database, or a newer one.
    if try version(database, path: path, known: migrations.count) == migrations.count { return }
    try database.inTransaction(.immediate) {
      let version = try version(database, path: path, known: migrations.count)
      for migration in migrations[version...] { try database.execute(sql: migration) }
      try database.execute(
        sql: """
          PRAGMA application_id = \(applicationID);
          PRAGMA user_version = \(migrations.count);
          """)
      return .commit
    }
  }

  /// The version of a database, which this Kelvin can use; 0 for one that is empty.
  static func version(_ database: Database, path: String, known: Int) throws -> Int {
    let application = try Int64.fetchOne(database, sql: "PRAGMA application_id") ?? 0
    let version = try Int64.fetchOne(database, sql: "PRAGMA user_version") ?? 0
    if application == 0, version == 0,
      try Int64.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") == 0
    {
      return 0
    }
    guard application == applicationID, version > 0 else {
      throw StoreFailure(.notABench, path: path, "not a bench database of Kelvin")
    }
    guard version <= Int64(known) else {
      throw StoreFailure(
        .newerSchema, path: path, "written by a newer Kelvin",
        evidence: "schema version \(version), this Kelvin knows \(known)")
    }
    return Int(version)
  }

  private static let version1 = """
    CREATE TABLE resources (
      id INTEGER NOT NULL PRIMARY KEY,
      kind TEXT NOT NULL,
      name TEXT NOT NULL,
      bench TEXT NOT NULL,
      identity TEXT NOT NULL,
      physical INTEGER REFERENCES resources (id),
      UNIQUE (kind, name, bench, identity)
    ) STRICT;

    CREATE TABLE leases (
      id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
      run TEXT NOT NULL,
      directory TEXT NOT NULL,
      purpose TEXT NOT NULL,
      user TEXT NOT NULL,
      host TEXT NOT NULL,
      machine_id TEXT NOT NULL,
      boot_id TEXT NOT NULL,
      process_namespace TEXT NOT NULL,
      process_id INTEGER NOT NULL,
      start_ticks INTEGER NOT NULL,
      taken_wall_ns INTEGER NOT NULL,
      taken_boottime_ns INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE holdings (
      resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
      lease INTEGER NOT NULL REFERENCES leases (id) ON DELETE CASCADE,
      recovering INTEGER NOT NULL,
      restores TEXT,
      external_release TEXT,
      external_granted INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX holdings_by_lease ON holdings (lease);

    CREATE TABLE reservations (
      resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
      user TEXT NOT NULL,
      host TEXT NOT NULL,
      reason TEXT NOT NULL,
      made_wall_ns INTEGER NOT NULL,
      expires_wall_ns INTEGER NOT NULL,
      boot_id TEXT NOT NULL,
      expires_boottime_ns INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE health (
      resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
      condition TEXT NOT NULL,
      reason TEXT NOT NULL,
      evidence TEXT NOT NULL,
      user TEXT NOT NULL,
      host TEXT NOT NULL,
      since_wall_ns INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE original_values (
      resource INTEGER NOT NULL REFERENCES resources (id),
      setting TEXT NOT NULL,
      value TEXT NOT NULL,
      run TEXT NOT NULL,
      board_boot_id TEXT NOT NULL,
      saved_wall_ns INTEGER NOT NULL,
      PRIMARY KEY (resource, setting)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE events (
      id INTEGER NOT NULL PRIMARY KEY,
      wall_ns INTEGER NOT NULL,
      boot_id TEXT NOT NULL,
      boottime_ns INTEGER NOT NULL,
      user TEXT NOT NULL,
      host TEXT NOT NULL,
      process_id INTEGER NOT NULL,
      resource INTEGER NOT NULL REFERENCES resources (id),
      run TEXT NOT NULL,
      action TEXT NOT NULL,
      detail TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_resource ON events (resource);
    """

  private static let version2 = """
    CREATE TABLE outages (
      resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
      lease INTEGER NOT NULL,
      user TEXT NOT NULL,
      host TEXT NOT NULL,
      process_id INTEGER NOT NULL,
      reason TEXT NOT NULL,
      since_wall_ns INTEGER NOT NULL
    ) STRICT;
    """

  private static let version4 = """
    CREATE TABLE health_checks (
      id INTEGER NOT NULL PRIMARY KEY,
      resource INTEGER NOT NULL REFERENCES resources (id),
      run TEXT NOT NULL,
      workload TEXT NOT NULL,
      cause TEXT NOT NULL,
      problem TEXT,
      seconds REAL NOT NULL,
      ended_wall_ns INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX health_checks_by_resource ON health_checks (resource);

    CREATE TABLE check_totals (
      resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
      passed INTEGER NOT NULL,
      failed INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE deployments (
      resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
      way TEXT NOT NULL,
      image TEXT NOT NULL,
      build_id TEXT NOT NULL,
      board_boot_id TEXT NOT NULL,
      run TEXT NOT NULL,
      deployed_wall_ns INTEGER NOT NULL
    ) STRICT;
    """

  private static let version3 = """
    CREATE TABLE board_jobs (
      id INTEGER NOT NULL PRIMARY KEY,
      resource INTEGER NOT NULL REFERENCES resources (id),
      run TEXT NOT NULL,
      job INTEGER NOT NULL,
      attempt INTEGER NOT NULL,
      verdict TEXT NOT NULL,
      reason TEXT NOT NULL,
      could_run INTEGER NOT NULL,
      seconds REAL NOT NULL,
      ended_wall_ns INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX board_jobs_by_resource ON board_jobs (resource);

    CREATE TABLE recoveries (
      id INTEGER NOT NULL PRIMARY KEY,
      resource INTEGER NOT NULL REFERENCES resources (id),
      run TEXT NOT NULL,
      finding TEXT NOT NULL,
      steps TEXT NOT NULL,
      outcome TEXT NOT NULL,
      seconds REAL NOT NULL,
      ended_wall_ns INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX recoveries_by_resource ON recoveries (resource);

    CREATE TABLE board_totals (
      resource INTEGER NOT NULL PRIMARY KEY REFERENCES resources (id),
      since_wall_ns INTEGER NOT NULL,
      trusted_after INTEGER NOT NULL,
      jobs INTEGER NOT NULL,
      flaky_jobs INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE attempt_totals (
      resource INTEGER NOT NULL REFERENCES resources (id),
      verdict TEXT NOT NULL,
      attempts INTEGER NOT NULL,
      PRIMARY KEY (resource, verdict)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE recovery_totals (
      resource INTEGER NOT NULL REFERENCES resources (id),
      outcome TEXT NOT NULL,
      recoveries INTEGER NOT NULL,
      seconds REAL NOT NULL,
      shortest REAL NOT NULL,
      longest REAL NOT NULL,
      PRIMARY KEY (resource, outcome)
    ) STRICT, WITHOUT ROWID;
    """
}
