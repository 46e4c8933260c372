/// What kind of thing went wrong; it decides what happens next (retry, recover, stop).
public enum FailureKind: String, Sendable, Codable, CaseIterable {
  /// The user's input is wrong: agenda, bench file, option, missing permission that a setup grants.
  case configuration
  /// The bench failed around the board: host disk, link, power switch, meter.
  case infrastructure
  /// The board failed: crashed, rebooted, lacks a file or a kernel feature.
  case target
  /// The workload itself failed: non-zero exit, failing pattern, unreadable result.
  case workload
  /// A stage's deadline passed.
  case timeout
  /// A defect of Kelvin or of a plug-in.
  case `internal`
}

/// An error that says what kind it is, shows its evidence, and tells the user what to do.
///
/// Messages start with the thing that went wrong and name where: file:line:column, or board and
/// command.
public protocol Failure: Error, Sendable, CustomStringConvertible {
  /// The kind, which decides about retry and recovery.
  var kind: FailureKind { get }
  /// One sentence: the thing, and what is wrong with it.
  var message: String { get }
  /// What was seen: the line of output, the errno, the value read back. Empty when the message
  /// says it all.
  var evidence: String { get }
  /// What the user can do about it; empty when there is nothing to say.
  var hint: String { get }
}

extension Failure {
  public var evidence: String { "" }
  public var hint: String { "" }
  public var description: String {
    var text = message
    if !evidence.isEmpty { text += " (\(evidence))" }
    if !hint.isEmpty { text += "; \(hint)" }
    return text
  }
}

/// A failure with no type of its own: for single places whose callers only report it.
public struct PlainFailure: Failure, Hashable {
  public let kind: FailureKind
  public let message: String
  public let evidence: String
  public let hint: String

  /// Creates a failure from its parts.
  public init(
    _ kind: FailureKind, _ message: String, evidence: String = "", hint: String = ""
  ) {
    self.kind = kind
    self.message = message
    self.evidence = evidence
    self.hint = hint
  }

  /// Wraps any error: a failure keeps its kind, everything else is internal.
  public init(_ error: any Error) {
    if let failure = error as? any Failure {
      self.init(
        failure.kind, failure.message, evidence: failure.evidence, hint: failure.hint)
    } else {
      self.init(.internal, "\(error)")
    }
  }
}
