public import KelvinConnections
public import KelvinModel

/// Why a meter cannot be used, or has stopped.
public struct MeterFailure: Failure, Hashable {
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// There is no such meter, or it has none of the channels that are asked for.
    case notFound
    /// Its user may not use it; the hint says what to do.
    case permission
    /// It was there, and is no longer.
    case gone
    /// Somebody else has it.
    case busy
    /// It answers, but not with what it should: an errno, a malformed reply.
    case malfunction
    /// A setting or an option that it does not take.
    case invalid
    /// It has no such thing.
    case unsupported
    case timedOut
    case interrupted
    /// What leads to it failed.
    case connection
  }

  public let code: Code
  public let message: String
  public let evidence: String
  public let hint: String

  public var kind: FailureKind {
    switch code {
    case .notFound, .permission, .invalid, .unsupported: .configuration
    case .timedOut: .timeout
    case .gone, .busy, .malfunction, .interrupted, .connection: .infrastructure
    }
  }

  /// Creates a failure.
  public init(_ code: Code, _ message: String, evidence: String = "", hint: String = "") {
    self.code = code
    self.message = message
    self.evidence = evidence
    self.hint = hint
  }

  /// A failure of what leads to the meter.
  public init(_ failure: ConnectionFailure, of meter: String) {
    self.init(
      .connection, "\(meter): \(failure.message)", evidence: failure.evidence, hint: failure.hint)
  }
}
