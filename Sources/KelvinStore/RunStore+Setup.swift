internal import GRDB
internal import Glibc
internal import KelvinModel

// How a run database is made, opened, checked and filled at the start of a life.

extension RunStore {
  /// Makes the database of a new run under a name of its own, and closes it: a process that dies
  /// meanwhile leaves no half of a run behind.
  ///
  /// - Returns: the id of the first life.
  static func makeWhole(
    _ draft: String, run: RunRecord, plan: Plan, life: LifeRecord
  ) throws(StoreFailure) -> Int64 {
    removeDatabase(draft)
    do {
      return try translating(path: draft) {
        let queue = try openForWriting(draft)
        try Schema.migrate(queue)
        let lifeID = try queue.write { database in
          try insert(run: run, plan: plan, into: database)
          return try insert(life: life, into: database)
        }
        // What the write-ahead log holds goes into the file.
        try queue.close()
        return lifeID
      }
    } catch {
      removeDatabase(draft)
      throw error
    }
  }

  /// Gives a finished draft its name; of two at once only one succeeds.
  static func publish(_ draft: String, as path: String) throws(StoreFailure) {
    if link(draft, path) == 0 { return }
    var error = errno
    if error == EPERM || error == ENOTSUP || error == EMLINK {
      // A file system without links; two creations within this moment are not told apart there.
      if FileIdentity(of: path) != nil {
        error = EEXIST
      } else if rename(draft, path) == 0 {
        return
      } else {
        error = errno
      }
    }
    if error == EEXIST { throw StoreFailure(.exists, path: path, "a run is there already") }
    throw StoreFailure(makingFileAt: path, error: error)
  }

  /// Removes a database that nobody has open, with the files that SQLite keeps beside it.
  static func removeDatabase(_ path: String) {
    for suffix in ["-wal", "-shm", "-journal", ""] { unlink(path + suffix) }
  }

  /// Opens a connection that writes; the database is in WAL mode afterwards.
  static func openForWriting(_ path: String) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.busyMode = .timeout(10)
    configuration.journalMode = .default
    configuration.prepareDatabase { database in
      try database.execute(
        sql: """
          PRAGMA trusted_schema = OFF;
          PRAGMA cell_size_check = ON;
          PRAGMA synchronous = FULL;
          """)
      let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
      guard mode == "wal" else {
        throw StoreFailure(
          .system, path: path, "the file system does not support SQLite's write-ahead log",
          evidence: "journal mode \(mode ?? "unknown")", hint: "choose a local directory with -d")
      }
    }
    return try DatabaseQueue(path: path, configuration: configuration)
  }

  /// Opens a connection that only reads.
  static func openForReading(_ path: String) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(10)
    configuration.prepareDatabase { database in
      try database.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")
    }
    return try DatabaseQueue(path: path, configuration: configuration)
  }

  static func insert(run: RunRecord, plan: Plan, into database: Database) throws {
    try database.execute(
      sql: """
        INSERT INTO run (id, name, kelvin_version, command_line, board, created_wall_ns, state,
          settings)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        run.id.storable, run.name.storable, run.kelvinVersion.storable,
        Value.json(run.commandLine), run.board.storable, run.createdWallNanoseconds,
        RunState.new.rawValue, plan.settings.stored.json
      ])
    for source in run.sources {
      try database.execute(
        sql: "INSERT INTO sources (path, content) VALUES (?, ?)",
        arguments: [source.path.storable, source.content.storable(limit: 64 << 20)])
    }
    for path in run.benchFiles {
      try database.execute(
        sql: "INSERT INTO bench_files (path) VALUES (?)", arguments: [path.storable])
    }
    let specs = try database.makeStatement(sql: JobSpec.insertion)
    for (position, spec) in plan.specs.enumerated() {
      try specs.execute(arguments: spec.arguments(position: position))
    }
    let jobs = try database.makeStatement(
      sql: "INSERT INTO jobs (position, spec, iteration) VALUES (?, ?, ?)")
    for (position, job) in plan.jobs.enumerated() {
      try jobs.execute(arguments: [position, job.spec, job.iteration])
    }
  }

  static func insert(life: LifeRecord, into database: Database) throws -> Int64 {
    try database.execute(
      sql: """
        INSERT INTO lives (boot_id, process_id, start_ticks, monotonic_ns, boottime_ns, wall_ns)
        VALUES (?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        life.bootID.storable, life.processID, Int64(bitPattern: life.startTicks),
        life.monotonic.nanoseconds, life.boottimeNanoseconds, life.wallNanoseconds
      ])
    return database.lastInsertedRowID
  }

  /// - Throws: ``StoreFailure`` with code `busy` when the last life neither ended nor died.
  static func refuseLiveOwner(_ database: Database, path: String) throws {
    guard let last = try RunInfo.Life.all(database, path: path).last, last.isAlive else { return }
    throw StoreFailure(
      .busy, path: path, "process \(last.record.processID) is running it",
      hint: "wait until it has ended, or end it: kill \(last.record.processID)")
  }
}

extension Schema {
  /// Checks that a database is a run, and one that this Kelvin can read.
  ///
  /// - Throws: ``StoreFailure`` with code `notARun` or `newerSchema`, or what SQLite says.
  static func check(_ queue: DatabaseQueue, path: String) throws {
    let (application, version, runs) = try queue.inDatabase { database in
      let application = try Int64.fetchOne(database, sql: "PRAGMA application_id") ?? 0
      let version = try Int64.fetchOne(database, sql: "PRAGMA user_version") ?? 0
      let isKelvin = application == applicationID && (1...Schema.version).contains(version)
      let runs = isKelvin ? try Int64.fetchOne(database, sql: "SELECT count(*) FROM run") ?? 0 : 0
      return (application, version, runs)
    }
    guard application == applicationID else {
      throw StoreFailure(.notARun, path: path, "not a run of Kelvin")
    }
    guard version <= Schema.version else {
      throw StoreFailure(
        .newerSchema, path: path, "written by a newer Kelvin",
        evidence: "schema version \(version), this Kelvin knows \(Schema.version)")
    }
    guard runs == 1 else {
      throw StoreFailure(
        .notARun, path: path, "holds no run: its creation was cut off",
        hint: "delete the directory and start the run again")
    }
  }
}
