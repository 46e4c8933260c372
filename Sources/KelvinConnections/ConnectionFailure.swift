public import KelvinModel

/// Why a call to a target did not work.
public struct ConnectionFailure: Failure {
  public enum Code: Sendable, Hashable {
    /// The link is gone; whether the command ran is not known.
    case connectionLost
    /// The deadline passed.
    case timedOut
    /// The deadline's interrupt was raised.
    case interrupted
    case permissionDenied
    case notFound
    /// This connection or target cannot do it.
    case unsupported
    /// The other side understood, and refused, in its own words.
    case refused(String)
    /// What came is not the protocol that is spoken here.
    case badReply
    /// A file on the host could not be read or written.
    case hostFile(Errno)
    /// Any other system call failure on the target.
    case system(Errno)
  }

  public let code: Code
  public let message: String
  /// What the other side had said by then.
  public let evidence: String
  public let hint: String
  /// What the command had printed, when it was ended by its deadline or the interrupt.
  public let partial: CommandResult?

  /// Creates a failure.
  public init(
    _ code: Code, _ message: String, evidence: String = "", hint: String = "",
    partial: CommandResult? = nil
  ) {
    self.code = code
    self.message = message
    self.evidence = evidence
    self.hint = hint
    self.partial = partial
  }

  /// A failed system call on a path of a target.
  public init(_ error: Errno, path: TargetPath, connection: String) {
    let code: Code =
      switch error {
      case .notFound: .notFound
      case .permissionDenied, .notPermitted: .permissionDenied
      default: .system(error)
      }
    self.init(code, "\(path): \(error) (\(connection))")
  }

  public var kind: FailureKind {
    switch code {
    case .connectionLost, .interrupted, .hostFile, .badReply: .infrastructure
    case .timedOut: .timeout
    case .permissionDenied, .notFound, .unsupported, .refused: .target
    case .system: .target
    }
  }
}
