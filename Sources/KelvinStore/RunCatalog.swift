internal import GRDB
internal import Glibc
public import KelvinModel

/// The runs in a directory: lists them, and deletes old ones.
public struct RunCatalog: Sendable {
  /// The directory that holds run directories.
  public let directory: String

  /// A run in the directory, or something that looks like one.
  public struct Entry: Sendable, Hashable {
    /// Of the run's directory.
    public var name: String
    public var path: String
    /// Without the contents of its sources; nil when it could not be read.
    public var info: RunInfo?
    /// Jobs by verdict; nil counts those that have not ended.
    public var verdicts: [Verdict.Status?: Int] = [:]
    /// Why the run could not be read.
    public var failure: StoreFailure?
    /// What the run's directory takes on the disk, in bytes.
    public var size: Int64
  }

  /// What ``prune(keep:)`` did.
  public struct Pruning: Sendable, Hashable {
    public var deleted: [Entry] = []
    /// Runs that should have gone but could not be deleted.
    public var failures: [StoreFailure] = []
  }

  /// Names the directory; nothing is read yet.
  public init(directory: String) { self.directory = directory }

  /// The runs right below the directory, newest first, those that cannot be read last.
  ///
  /// Symbolic links are left out. No directory means no runs.
  public func entries() throws(StoreFailure) -> [Entry] {
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return [] }
      throw StoreFailure(makingFileAt: directory, error: errno)
    }
    defer { close(descriptor) }
    var entries: [Entry] = []
    for name in try entryNames(in: descriptor, path: directory) {
      var status = stat()
      guard fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0,
        status.st_mode & S_IFMT == S_IFDIR,
        let name = String(validating: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
      else { continue }
      let path = joined(directory, name)
      guard FileIdentity(of: joined(path, RunStore.fileName)) != nil else { continue }
      entries.append(RunCatalog.entry(name: name, path: path))
    }
    return entries.sorted { a, b in
      let dates = [a, b].map { $0.info?.record.createdWallNanoseconds ?? .min }
      return dates[0] == dates[1] ? a.name < b.name : dates[0] > dates[1]
    }
  }

  private static func entry(name: String, path: String) -> Entry {
    var entry = Entry(name: name, path: path, size: diskUsage(of: path))
    do throws(StoreFailure) {
      let reader = try RunReader(directory: path)
      entry.info = try reader.readTogether { database in
        try RunInfo.fetch(database, path: reader.path, sources: false)
      }
      entry.verdicts = try reader.verdictCounts()
    } catch {
      entry.failure = error
    }
    return entry
  }

  /// What ``prune(keep:)`` would delete.
  public func candidates(keep: Int) throws(StoreFailure) -> [Entry] {
    Array(try entries().filter { $0.info?.isInProgress == false }.dropFirst(max(0, keep)))
  }

  /// Deletes all runs but the newest `keep`. Runs in progress are neither counted nor deleted, and
  /// what cannot be read as a run of this Kelvin is left alone.
  public func prune(keep: Int) throws(StoreFailure) -> Pruning {
    var pruning = Pruning()
    for entry in try candidates(keep: keep) {
      do throws(StoreFailure) {
        try RunCatalog.remove(run: entry.path)
        pruning.deleted.append(entry)
      } catch {
        pruning.failures.append(error)
      }
    }
    return pruning
  }

  /// Deletes a run's directory with all that it holds; links in it are deleted, never followed.
  ///
  /// - Throws: ``StoreFailure``: `notFound` and `notARun` when it holds no run of Kelvin, `busy` when
  ///   the run is in progress.
  public static func remove(run directory: String) throws(StoreFailure) {
    do {
      let reader = try RunReader(directory: directory)
      try reader.read { database in try RunStore.refuseLiveOwner(database, path: reader.path) }
    }
    try removeTree(directory)
  }
}
