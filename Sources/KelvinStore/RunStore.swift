internal import GRDB
internal import Glibc
public import KelvinModel

/// The one writer of a run: keeps everything that happens in `run.db`.
///
/// Calls block the caller's thread, may come from any thread, and take effect in the order in which
/// they return. Light commits (beginning an attempt, samples) survive the death of the process at once
/// and that of the machine from the next job boundary on, or after a second while samples come; a job
/// boundary is on the disk when the call returns. Readers (``RunReader``) never block the writer, nor it them.
public final class RunStore: Sendable {
  /// The run directory, as it was given.
  public let directory: String
  let path: String
  /// The life that writes.
  let life: Int64
  private let queue: DatabaseQueue
  /// Identities of run.db and its write-ahead log when they were opened.
  private let files: [FileIdentity?]
  // Used inside the queue's closures only, which run one at a time.
  private nonisolated(unsafe) let state = State()

  /// What is known besides the database; never ahead of it.
  final class State {
    var isClosed = false
    var isFullySynchronous = true
    /// Ids of metric types by their content.
    var metricTypes: [MetricType: Int64] = [:]
    /// The last fingerprint written: nearly always the next one, too.
    var fingerprint: (content: [String: String], id: Int64)?
    /// When a commit that went to the disk last began: what came later was not in it. And how long it took.
    var lastSync: MonotonicTime?
    var lastSyncDuration: Int64 = 0
    /// How old that may be, in nanoseconds, when samples come.
    var syncInterval: Int64 = 390_000_000

    /// Whether samples that come now go to the disk with those before them.
    ///
    /// A sample is on the disk at the end of the first sync that begins after it came: what a sync takes beyond a
    /// tenth of a second, the next one begins sooner. With appends that begin each 250 ms, or as soon as the one
    /// before is done, syncs begin 0.5 s apart, or as long as one takes; a sample is on the disk 0.8 s after it came
    /// as long as one takes no more than 0.4 s (docs/captures.md).
    func isSyncDue(at now: MonotonicTime) -> Bool {
      guard let lastSync else { return true }
      return now - lastSync >= syncInterval - max(0, lastSyncDuration - 110_000_000)
    }
    var encoder = BlockEncoder()
    /// The captures that go on: of each channel what is not in full blocks yet.
    var captures: [Int64: [Int: ChannelWriter]] = [:]
  }

  /// How durable a commit is when it returns.
  enum Durability {
    /// Survives the death of this process.
    case process
    /// Survives the death of the machine.
    case machine
  }

  private init(directory: String, life: Int64, queue: DatabaseQueue) {
    self.directory = directory
    self.path = joined(directory, RunStore.fileName)
    self.life = life
    self.queue = queue
    files = RunStore.files(path)
  }

  private static func files(_ path: String) -> [FileIdentity?] {
    [FileIdentity(of: path), FileIdentity(of: path + "-wal")]
  }

  deinit { close() }

  /// The database's name within a run directory.
  public static let fileName = "run.db"

  /// Creates a run: makes the directory if need be, and in it a run.db that holds the plan.
  ///
  /// - Throws: ``StoreFailure``, with code `exists` when there is a run.db already.
  public static func create(
    at directory: String, run: RunRecord, plan: Plan, life: LifeRecord
  ) throws(StoreFailure) -> RunStore {
    try makeDirectories(directory)
    let path = joined(directory, fileName)
    guard FileIdentity(of: path) == nil else {
      throw StoreFailure(.exists, path: path, "a run is there already")
    }
    let draft = path + ".new-\(getpid())"
    let lifeID = try makeWhole(draft, run: run, plan: plan, life: life)
    defer { removeDatabase(draft) }
    try publish(draft, as: path)
    let store = try translating(path: path) {
      RunStore(directory: directory, life: lifeID, queue: try openForWriting(path))
    }
    synchronizeDirectory(directory)
    synchronizeDirectory(parent(of: directory))
    return store
  }

  /// Takes over a run whose last life has ended or died, and adds a life to it.
  ///
  /// Attempts that the dead life left open are listed by ``openAttempts()``.
  /// - Throws: ``StoreFailure``, with code `busy` when the last life is still alive.
  public static func resume(
    at directory: String, life: LifeRecord
  ) throws(StoreFailure) -> RunStore {
    let path = joined(directory, fileName)
    // Judged before anything is written: what is no run, or a newer one, is left as it is.
    _ = try RunReader(directory: directory)
    return try translating(path: path) {
      let queue = try openForWriting(path)
      try Schema.migrate(queue)
      // The check and the new life are one transaction, so that of two resumes only one succeeds.
      let life = try queue.write { database in
        try refuseLiveOwner(database, path: path)
        return try insert(life: life, into: database)
      }
      return RunStore(directory: directory, life: life, queue: queue)
    }
  }

  /// Copies what the write-ahead log holds into run.db.
  public func checkpoint() throws(StoreFailure) {
    try access { database, _ in
      try database.checkpoint(.passive)
      return
    }
  }

  /// Ends the life: run.db alone is complete afterwards, unless a reader holds it open; then the
  /// write-ahead log stays beside it until the next close. Idempotent, never fails: what was
  /// committed stays committed.
  public func close() {
    queue.writeWithoutTransaction { database in
      guard !state.isClosed else { return }
      state.isClosed = true
      do {
        try database.execute(sql: "PRAGMA synchronous = FULL")
        try database.execute(
          sql: "UPDATE lives SET ended_ns = ? WHERE id = ?",
          arguments: [MonotonicTime.now.nanoseconds, life])
        // Readers are not worth waiting for.
        try database.execute(sql: "PRAGMA busy_timeout = 200")
        try database.checkpoint(.truncate)
        // A database in rollback mode is one file, which can be read where nothing can be written.
        try database.execute(sql: "PRAGMA journal_mode = DELETE")
      } catch {
        // The next life finds what this one could not tidy up.
      }
    }
    try? queue.close()
  }

  // MARK: - Access

  /// Runs `body` on the connection, outside a transaction.
  func access<T>(
    _ body: (Database, State) throws -> T
  ) throws(StoreFailure) -> T {
    do {
      return try queue.writeWithoutTransaction { database in
        guard !state.isClosed else {
          throw StoreFailure(.misuse, path: path, "the store was closed")
        }
        return try body(database, state)
      }
    } catch {
      let failure = StoreFailure(error, path: path)
      // Whatever SQLite said of a database that is not there any more, this is the reason.
      if failure.code != .misuse, RunStore.files(path) != files { throw vanished(failure.evidence) }
      throw failure
    }
  }

  /// Runs `body` in one transaction, and commits it as durably as asked.
  func write<T>(
    _ durability: Durability, _ body: (Database, State) throws -> T
  ) throws(StoreFailure) -> T {
    try access { database, state in try commit(durability, database, state, body) }
  }

  /// Runs `body` in one transaction, within ``access(_:)``, and commits it as durably as asked.
  func commit<T>(
    _ durability: Durability, _ database: Database, _ state: State,
    _ body: (Database, State) throws -> T
  ) throws -> T {
    let isFull = durability == .machine
    let begin = MonotonicTime.now
    if state.isFullySynchronous != isFull {
      try database.execute(sql: "PRAGMA synchronous = \(isFull ? "FULL" : "NORMAL")")
      state.isFullySynchronous = isFull
    }
    let result: T
    do {
      try database.beginTransaction(.immediate)
      result = try body(database, state)
      try database.commit()
    } catch {
      // What was remembered of this transaction is not in the database.
      state.metricTypes = [:]
      state.fingerprint = nil
      if database.isInsideTransaction { try? database.rollback() }
      throw error
    }
    if isFull {
      state.lastSync = begin
      state.lastSyncDuration = MonotonicTime.now - begin
      if RunStore.files(path) != files { throw vanished("") }
    }
    return result
  }

  private func vanished(_ evidence: String) -> StoreFailure {
    StoreFailure(.vanished, path: path, "moved or deleted while in use", evidence: evidence)
  }
}
