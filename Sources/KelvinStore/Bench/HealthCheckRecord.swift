public import KelvinModel

/// A health check of a board, for the board's history.
public struct HealthCheckRecord: Sendable, Hashable {
  /// The run's id.
  public var run: String
  /// The workload that checked.
  public var workload: String
  /// Why it was checked: `at the start`, `after power_cycle`.
  public var cause: String
  /// What was wrong; nil: the board passed.
  public var problem: String?
  public var seconds: Double
  public var endedWallNanoseconds: Int64

  /// Creates a record.
  public init(
    run: String, workload: String, cause: String, problem: String?, seconds: Double,
    endedWallNanoseconds: Int64 = MonotonicTime.wallNanoseconds
  ) {
    self.run = run
    self.workload = workload
    self.cause = cause
    self.problem = problem
    self.seconds = seconds
    self.endedWallNanoseconds = endedWallNanoseconds
  }
}
