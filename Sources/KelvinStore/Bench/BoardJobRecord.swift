public import KelvinModel

/// How an attempt at a job ended on a board, for the board's history.
public struct BoardJobRecord: Sendable, Hashable {
  /// The run's id.
  public var run: String
  /// The job's position in the plan, from 0.
  public var job: Int
  /// From 1.
  public var attempt: Int
  public var outcome: Outcome
  /// Whether the job will not be tried again.
  public var isLast: Bool
  /// False when the workload, a required instrument, or a file or program that it asked for is not to be
  /// had on this board: that it failed says nothing of the board's health.
  public var couldRun: Bool
  public var seconds: Double
  public var endedWallNanoseconds: Int64

  /// Creates a record.
  public init(
    run: String, job: Int, attempt: Int, outcome: Outcome, isLast: Bool = true,
    couldRun: Bool = true, seconds: Double,
    endedWallNanoseconds: Int64 = MonotonicTime.wallNanoseconds
  ) {
    self.run = run
    self.job = job
    self.attempt = attempt
    self.outcome = outcome
    self.isLast = isLast
    self.couldRun = couldRun
    self.seconds = seconds
    self.endedWallNanoseconds = endedWallNanoseconds
  }

  /// Whether the attempt failed because of the board, or of what is around it.
  public var isTrouble: Bool { couldRun && outcome.verdict.isBoardTrouble }
}
