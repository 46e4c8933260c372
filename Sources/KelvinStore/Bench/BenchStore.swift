internal import GRDB
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// What outlives runs: leases, reservations and health of boards and meters, in `bench.db`, which all
/// processes of a host (or of several, on a shared file system) read and write at once.
///
/// Calls block the caller's thread, may come from any thread, and each is one transaction: it is on
/// the disk when the call returns. None waits longer than ten seconds for other processes.
public final class BenchStore: Sendable {
  /// Of the database.
  public let path: String
  /// On whose behalf everything is done.
  public let holder: LeaseHolder
  private let queue: DatabaseQueue
  /// The file's identity when it was opened: a database that was deleted keeps nothing.
  private let file: FileIdentity?

  /// The database's name within the state directory.
  public static let fileName = "bench.db"

  /// Opens the bench database, and makes it, and its directory, when there is none. New files may be
  /// read by their owner only; files that are there keep their permissions.
  ///
  /// - Parameters:
  ///   - directory: default: that of ``StateDirectory``.
  ///   - holder: who acts; default: the calling process.
  public static func open(
    directory: String? = nil, as holder: LeaseHolder? = nil
  ) throws(StoreFailure) -> BenchStore {
    let directory = directory ?? StateDirectory.path()
    let holder = if let holder { holder } else { try LeaseHolder.current() }
    let path = joined(directory, fileName)
    do throws(StoreFailure) {
      if FileIdentity(of: path) == nil { try make(path) }
      let queue = try translating(path: path) {
        let queue = try connect(path)
        try queue.writeWithoutTransaction { try BenchSchema.migrate($0, path: path) }
        return queue
      }
      return BenchStore(path: path, holder: holder, queue: queue)
    } catch {
      throw error.ofBench
    }
  }

  private init(path: String, holder: LeaseHolder, queue: DatabaseQueue) {
    self.path = path
    self.holder = holder
    self.queue = queue
    file = FileIdentity(of: path)
  }

  deinit { close() }

  /// Closes the database; idempotent. Leases stay.
  public func close() { try? queue.close() }

  // MARK: Making and opening

  /// Makes the database under a name of its own, then gives it its name: nobody ever sees half of
  /// one, and of several processes that do so at once, one prevails.
  private static func make(_ path: String) throws(StoreFailure) {
    let directory = parent(of: path)
    if directory != "/", FileIdentity(of: directory) == nil {
      try makeDirectories(parent(of: directory))
      if mkdir(directory, 0o700) != 0, errno != EEXIST {
        throw StoreFailure(makingFileAt: directory, error: errno)
      }
    }
    let draft = path + ".new-" + String(UInt64.random(in: .min ... .max), radix: 36)
    let descriptor = Glibc.open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw StoreFailure(makingFileAt: path, error: errno) }
    Glibc.close(descriptor)
    defer { RunStore.removeDatabase(draft) }
    try translating(path: path) {
      let queue = try connect(draft)
      try queue.writeWithoutTransaction { database in
        // Readers and writers of one host do not wait for each other; what several hosts share has
        // no shared memory (sqlite.org/wal.html), and does with a rollback journal.
        if !FileSystem.isShared(directory) {
          try database.execute(sql: "PRAGMA journal_mode = WAL")
        }
        try BenchSchema.migrate(database, path: path)
      }
      try queue.close()
    }
    do {
      try RunStore.publish(draft, as: path)
    } catch  where error.code == .exists {
      return
    }
    synchronizeDirectory(directory)
  }

  private static func connect(_ path: String) throws -> DatabaseQueue {
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
    }
    return try DatabaseQueue(path: path, configuration: configuration)
  }

  // MARK: Access

  /// Runs `body` in one transaction that excludes all other writers.
  func write<T>(_ body: (Database) throws -> T) throws(StoreFailure) -> T {
    try access { database in
      var result: T?
      try database.inTransaction(.immediate) {
        result = try body(database)
        return .commit
      }
      guard let result else { throw StoreFailure(.misuse, path: path, "no result") }
      return result
    }
  }

  /// Runs `body` on one state of the database.
  func read<T>(_ body: (Database) throws -> T) throws(StoreFailure) -> T {
    try access { database in
      var result: T?
      try database.inTransaction(.deferred) {
        result = try body(database)
        return .commit
      }
      guard let result else { throw StoreFailure(.misuse, path: path, "no result") }
      return result
    }
  }

  private func access<T>(_ body: (Database) throws -> T) throws(StoreFailure) -> T {
    func vanished(_ evidence: String) -> StoreFailure {
      StoreFailure(
        .vanished, path: path, "moved or deleted while in use", evidence: evidence
      ).ofBench
    }
    do {
      let result = try queue.writeWithoutTransaction(body)
      if FileIdentity(of: path) != file { throw vanished("") }
      return result
    } catch {
      let failure = StoreFailure(error, path: path)
      // Whatever SQLite said of a database that is not there any more, this is the reason.
      if failure.code != .vanished, FileIdentity(of: path) != file {
        throw vanished(failure.evidence)
      }
      throw failure.ofBench
    }
  }
}

extension StoreFailure {
  /// The same, with advice that fits the bench database.
  var ofBench: StoreFailure {
    let advice: String? =
      switch code {
      case .corrupt, .notABench:
        "check with 'kelvin runs' and ps that no run uses the bench, then move the file away "
          + "(mv '\(path)' '\(path).damaged'): a new one is made, without the leases, "
          + "reservations and quarantines of the old one"
      case .diskFull: "free space on that file system, then try again"
      case .readOnly:
        "let KELVIN_STATE name a directory that you may write to, or change its permissions"
      case .busy: "try again; if it stays so, close programs that hold it, such as a sqlite3 shell"
      case .vanished: "leases may have been lost with it: stop what uses the bench, start it again"
      default: nil
      }
    guard let advice else { return self }
    return StoreFailure(code, message: message, path: path, evidence: evidence, hint: advice)
  }
}
