public import KelvinModel

/// A device that could not be found, told apart, or used.
public struct DeviceFailure: Failure, Hashable {
  public enum Problem: String, Sendable {
    /// Nothing matches.
    case absent
    /// More than one matches.
    case ambiguous
    /// It is there, and not for this user.
    case notPermitted
    /// It was there, and has gone.
    case vanished
    /// Another program has it.
    case busy
    /// libudev cannot be used.
    case unavailable
    /// It is no device of the kind that is wanted.
    case unsuitable
    /// It did not answer in time.
    case timedOut
    /// Whoever used it was told to stop.
    case interrupted
  }

  public let problem: Problem
  public let message: String
  public let evidence: String
  public let hint: String

  /// Creates a failure from its parts.
  public init(_ problem: Problem, _ message: String, evidence: String = "", hint: String = "") {
    self.problem = problem
    self.message = message
    self.evidence = evidence
    self.hint = hint
  }

  public var kind: FailureKind {
    switch problem {
    case .absent, .vanished, .busy, .unavailable, .interrupted: .infrastructure
    case .ambiguous, .notPermitted, .unsuitable: .configuration
    case .timedOut: .timeout
    }
  }

  static func unavailable(_ message: String, _ error: Errno) -> DeviceFailure {
    DeviceFailure(.unavailable, message, evidence: "\(error)")
  }
}
