public import KelvinModel

/// A setting that a board does not take.
public struct SettingFailure: Failure {
  public enum Code: Sendable, Hashable {
    /// The board has no such thing: no such CPU, governor, frequency.
    case notOffered
    /// Two settings ask for different values of one thing.
    case contradiction
    /// It could not be read, written, or reads back as something else.
    case notHeld
    /// What it was could not be recorded or put back.
    case notRestored
  }

  public let code: Code
  public let message: String
  public let evidence: String
  public let hint: String

  public var kind: FailureKind {
    switch code {
    case .notOffered, .contradiction: .configuration
    case .notHeld, .notRestored: .target
    }
  }

  /// Creates a failure.
  public init(_ code: Code, _ message: String, evidence: String = "", hint: String = "") {
    self.code = code
    self.message = message
    self.evidence = evidence
    self.hint = hint
  }
}
