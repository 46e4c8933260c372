internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Samples on the board itself, by the small program that was put there (``SamplerProgram``).
///
/// The program ticks by the board's clock; times are put on the host's by exchanges before and after
/// the window, and each some seconds while samples are sent as they come. A thread of its own takes
/// what comes. With ``SamplePlan/buffer`` nothing crosses the link in the window, and samples are there
/// after ``stop()`` alone.
final class BoardSampler: SampleSource {
  private let worker: BoardSamplerWorker
  private let thread = Mutex<NamedThread?>(nil)

  /// Starts the program on the board, which opens the files and waits.
  init(
    _ plan: SamplePlan, transport: any ShellTransport, program: TargetPath,
    environment: [String: String], until deadline: Deadline
  ) throws(ConnectionFailure) {
    let link = try SamplerLink(
      transport, program: program, plan: plan, environment: environment, until: deadline)
    worker = try BoardSamplerWorker(plan, link, until: deadline)
  }

  /// The thread ends the program.
  deinit {
    worker.stopping.raise()
    if thread.take() == nil { worker.abandon() }
  }

  func start() async throws(ConnectionFailure) {
    guard thread.withLock({ $0 == nil }) else { return }
    try worker.begin(until: .after(seconds: 10))
    let failure = thread.withLock { thread -> PlainFailure? in
      do throws(PlainFailure) {
        thread = try NamedThread("sampler-link") { [worker] in worker.run() }
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw ConnectionFailure(.system(Errno(EAGAIN)), "\(failure)") }
  }

  func drain() -> [Sample] { worker.drain() }

  func suspensions() -> [Suspension] { worker.suspensions.take() }

  func stop() async -> SampleSummary {
    worker.stopping.raise()
    let thread = thread.withLock { $0 }
    // Never started: the program is let go of.
    guard let thread else {
      worker.abandon()
      return SampleSummary()
    }
    thread.join()
    return worker.result
  }
}
