/// One thing wrong, or doubtful, in what the user wrote.
public struct Diagnostic: Hashable, Sendable, CustomStringConvertible {
  public enum Severity: String, Sendable { case error, warning }

  public var severity: Severity
  public var location: SourceLocation
  /// Names the offending key or value and what was expected.
  public var message: String
  /// What to write instead; empty when unknown.
  public var hint: String

  /// Creates a diagnostic.
  public init(
    _ severity: Severity = .error, at location: SourceLocation, _ message: String,
    hint: String = ""
  ) {
    self.severity = severity
    self.location = location
    self.message = message
    self.hint = hint
  }

  /// `agenda.yaml:3:5: error: unknown key 'iteratons'; did you mean 'iterations'?`
  public var description: String {
    "\(location): \(severity.rawValue): \(message)" + (hint.isEmpty ? "" : "; \(hint)")
  }
}

/// All the mistakes of a configuration, reported in one go.
public struct ConfigurationFailure: Failure {
  public let diagnostics: [Diagnostic]

  /// Creates the failure from what was found; the order is kept.
  public init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

  public var kind: FailureKind { .configuration }
  public var message: String { diagnostics.map(\.description).joined(separator: "\n") }
}
