/// Why nobody gets a board or meter, and who said so.
public struct BenchHealth: Sendable, Hashable {
  public enum Condition: String, Sendable, CaseIterable { case quarantined, disabled }

  public var condition: Condition
  public var reason: String
  /// What was seen; empty when a person decided.
  public var evidence: String
  public var user: String
  public var host: String
  public var sinceWallNanoseconds: Int64

  /// Creates a record.
  public init(
    _ condition: Condition, reason: String, evidence: String = "", user: String, host: String,
    sinceWallNanoseconds: Int64
  ) {
    self.condition = condition
    self.reason = reason
    self.evidence = evidence
    self.user = user
    self.host = host
    self.sinceWallNanoseconds = sinceWallNanoseconds
  }
}
