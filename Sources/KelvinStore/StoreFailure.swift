public import KelvinModel

/// What went wrong with a run database or a directory of runs.
public struct StoreFailure: Failure, Hashable {
  /// What kind of trouble it is, for code that acts on it.
  public enum Code: String, Sendable, CaseIterable {
    /// There is no run database at the path.
    case notFound
    /// There is something at the path, but not a run of Kelvin.
    case notARun
    /// There is something at the path, but not a bench database of Kelvin.
    case notABench
    /// A run is there already.
    case exists
    /// Another live Kelvin owns the run, or another process locks its database.
    case busy
    /// The run was written by a newer Kelvin.
    case newerSchema
    /// The database is damaged.
    case corrupt
    /// The file system is full, or a quota is used up.
    case diskFull
    /// The file system or the database is read-only, or permissions forbid the access.
    case readOnly
    /// The run directory or its database was moved or deleted while in use.
    case vanished
    /// The caller broke the store's rules, e.g. ended an attempt twice.
    case misuse
    /// The system or SQLite refused for another reason, which ``StoreFailure/evidence`` names.
    case system
  }

  public let code: Code
  /// The directory or file in question.
  public let path: String
  public let message: String
  public let evidence: String
  public let hint: String

  /// Creates a failure; `problem` follows the path: `no run there`.
  public init(
    _ code: Code, path: String, _ problem: String, evidence: String = "", hint: String? = nil
  ) {
    self.code = code
    self.path = path
    self.message = "\(path): \(problem)"
    self.evidence = evidence
    self.hint = hint ?? code.hint
  }

  /// The same failure with other advice.
  init(
    _ code: Code, message: String, path: String, evidence: String, hint: String
  ) {
    self.code = code
    self.path = path
    self.message = message
    self.evidence = evidence
    self.hint = hint
  }

  public var kind: FailureKind {
    switch code {
    case .notFound, .notARun, .notABench, .exists, .busy, .newerSchema, .readOnly: .configuration
    case .corrupt, .diskFull, .vanished, .system: .infrastructure
    case .misuse: .internal
    }
  }
}

extension StoreFailure.Code {
  /// What the user can do about it.
  fileprivate var hint: String {
    switch self {
    case .notFound: "give a directory that holds a run.db; 'kelvin list runs' shows them"
    case .notARun: "give the directory of a run; 'kelvin list runs' shows them"
    case .notABench: "move it away"
    case .exists: "choose another directory with -d, or delete it first with -f"
    case .busy: "wait until it has ended, or end it first"
    case .newerSchema: "use the newer Kelvin, or one that is newer still"
    case .corrupt:
      "restore it from a copy, or save what is left with sqlite3's '.recover'"
    case .diskFull: "free space on that file system, then run 'kelvin resume'"
    case .readOnly: "choose a directory that you may write to, or change its permissions"
    case .vanished: "results of finished jobs were lost with it; start the run again"
    case .misuse: "this is a defect of Kelvin or of a plug-in: please report it"
    case .system: ""
    }
  }
}
