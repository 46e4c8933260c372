public import KelvinModel
public import KelvinStore
public import KelvinTargets
public import Logging

/// What a callback gets: the run, the job if there is one, the target, where to put files, a logger
/// and the store.
public struct SignalContext: Sendable {
  public let signal: Signal
  public let run: RunContext
  /// Nil for signals of the run.
  public let job: JobContext?
  /// Until when the callback must be done.
  public let deadline: Deadline
  /// For ``Signal/Moment/errorLogged`` and ``Signal/Moment/warningLogged``: what was logged.
  public let logged: LogRecord?
  public let logger: Logger

  public var target: Target { run.target }
  public var store: RunStore { run.store }

  /// The job; callbacks of job signals may rely on it.
  ///
  /// - Throws: an internal failure when the signal belongs to no job.
  public func requireJob() throws(PlainFailure) -> JobContext {
    guard let job else {
      throw PlainFailure(.internal, "signal '\(signal.name)' was sent outside of a job")
    }
    return job
  }
}
