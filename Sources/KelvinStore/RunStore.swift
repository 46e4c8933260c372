public import KelvinModel

public struct StoreFailure: Failure {
  public var kind: FailureKind { .infrastructure }; public var message: String
}
public final class RunStore: Sendable {
  public func beginAttempt(
    job: Int, number: Int, startedWallNanoseconds: Int64
  ) throws(StoreFailure) -> Int64 { 0 }
  public func recordProcess(
    attempt: Int64, processID: Int32, startTicks: UInt64?
  ) throws(StoreFailure) {}
  public func finishAttempt(
    _ attempt: Int64, _ result: AttemptResult, jobOutcome: Outcome?
  ) throws(StoreFailure) {}
  public func finishJobs(_ outcomes: [(position: Int, outcome: Outcome)]) throws(StoreFailure) {}
  public func setRunState(_ state: RunState, outcome: Outcome?) throws(StoreFailure) {}
}
