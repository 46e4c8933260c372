internal import GRDB

/// The schema of run.db, described in docs/run-database.md: each version's own statements stand in the
/// extensions, told by what they are about.
///
/// Each released version stays as it is; a change is a new migration after the last one, plus a
/// dump of the new schema in Tests/KelvinStoreTests/Fixtures.
enum Schema {
  /// "Klvn"; `file` and Kelvin know a run by it.
  static let applicationID: Int64 = 0x4B6C_766E
  /// Kept in user_version; equals the number of migrations.
  static let version: Int64 = 6

  /// Brings a database from any released version to the present one.
  static func migrate(_ queue: DatabaseQueue) throws {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("v1") { database in
      try database.execute(sql: version1)
    }
    migrator.registerMigration("v2") { database in
      try database.execute(sql: version2)
    }
    migrator.registerMigration("v3") { database in
      try database.execute(sql: version3)
    }
    migrator.registerMigration("v4") { database in
      try database.execute(sql: version4)
    }
    migrator.registerMigration("v5") { database in
      try database.execute(sql: version5)
    }
    migrator.registerMigration("v6") { database in
      try database.execute(sql: version6)
    }
    try migrator.migrate(queue)
  }
}
