internal import KelvinSystem

/// Runs what a task does on threads of its own, so that calls may block without holding up Swift's
/// cooperative pool. For tasks that wait for one thing and end.
final class BlockingThreads: TaskExecutor {
  private let name: String

  /// - Parameter name: shown by ps and perf; the kernel keeps 15 bytes.
  init(_ name: String) { self.name = name }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedTaskExecutor()
    // Without a thread left on the machine, the pool is held up after all.
    if (try? NamedThread(name) { job.runSynchronously(on: executor) }) == nil {
      job.runSynchronously(on: executor)
    }
  }
}
