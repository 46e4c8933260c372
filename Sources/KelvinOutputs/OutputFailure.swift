internal import Glibc
public import KelvinModel

/// A file that an output could not write.
public struct OutputFailure: Failure, Hashable {
  public let kind: FailureKind
  public let path: String
  public let message: String
  public let evidence: String
  public let hint: String

  /// Creates a failure; `problem` follows the path.
  init(
    _ kind: FailureKind = .infrastructure, path: String, _ problem: String, evidence: String = "",
    hint: String = ""
  ) {
    self.kind = kind
    self.path = path
    message = "\(path): \(problem)"
    self.evidence = evidence
    self.hint = hint
  }

  /// Says why `path` could not be written.
  init(writing path: String, error: Int32) {
    let hint =
      switch error {
      case ENOSPC, EDQUOT: "free space there; 'kelvin process' then makes the file from the store"
      case EACCES, EPERM, EROFS: "change its permissions, or give another directory"
      default: "'kelvin process' makes the file from the store at any time"
      }
    self.init(path: path, "could not be written", evidence: "\(Errno(error))", hint: hint)
  }
}
