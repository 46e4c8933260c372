public import KelvinModel

/// Why a call to a target did not work.
public struct ConnectionFailure: Failure {
  public enum Code: Sendable, Hashable {
    /// There is no way to the target.
    case unreachable(Obstacle)
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

  /// What stands between Kelvin and a target.
  public enum Obstacle: String, Sendable, Hashable {
    /// Nobody knows the host's name.
    case unknownHost
    /// No route, or nobody answers.
    case noAnswer
    /// The machine answers, but no such service does.
    case refused
    /// Another key than the one that is known for the host.
    case hostKeyChanged
    /// No key is known for the host, and new ones are not accepted.
    case hostKeyUnknown
    /// The target does not let this user in.
    case notAdmitted
    /// Both sides have no protocol in common.
    case incompatible
    /// It ended before anything could be done.
    case closed
    /// Another program of this host holds it.
    case inUse
  }

  public let code: Code
  public let message: String
  /// What a tool or the target said.
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

  /// A failed system call on a file of the host.
  init(hostFile path: String, _ error: Errno) {
    self.init(
      .hostFile(error), "\(path): \(error)",
      hint: error == .noSpace ? "free some space; 'kelvin resume' continues the run" : "")
  }

  /// What is waited for on a board that was found to be lost in the meantime, see `Deadline.isLost`.
  package static let boardIsLost = ConnectionFailure(
    .connectionLost, "the board was found to be lost")

  /// Whether the same may work a little later, when a link is on its way back.
  package var mayPass: Bool {
    switch code {
    case .connectionLost, .timedOut, .badReply, .unreachable(.noAnswer), .unreachable(.refused),
      .unreachable(.closed), .unreachable(.inUse), .unreachable(.unknownHost):
      true
    default: false
    }
  }

  public var kind: FailureKind {
    switch code {
    case .unreachable, .connectionLost, .interrupted, .hostFile, .badReply: .infrastructure
    case .timedOut: .timeout
    case .permissionDenied, .notFound, .unsupported, .refused: .target
    case .system: .target
    }
  }
}
