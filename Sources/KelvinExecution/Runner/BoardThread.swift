internal import Glibc
internal import KelvinSystem
internal import Synchronization

/// The thread on which everything of one board runs: a serial executor over one named pthread, so
/// that calls may block without holding up Swift's cooperative pool.
///
/// The thread ends after the last reference is gone and its queue is empty.
public final class BoardThread: SerialExecutor, Sendable {
  private let queue: JobQueue

  /// Starts the thread.
  ///
  /// - Parameter name: shown by ps and perf; the kernel keeps 15 bytes.
  public init(name: String) {
    let queue = JobQueue()
    self.queue = queue
    // Not kept: the thread goes on without a handle, until its queue is closed.
    let thread = try? NamedThread(name) { queue.runUntilClosed() }
    precondition(thread != nil, "\(name): no thread could be started")
  }

  deinit { queue.close() }

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedSerialExecutor()
    queue.add { job.runSynchronously(on: executor) }
  }
}

/// Closures that wait for their thread.
private final class JobQueue: Sendable {
  private struct State {
    var jobs: [@Sendable () -> Void] = []
    var isClosed = false
  }
  private let state = Mutex(State())
  /// Counts the jobs that were added and not yet taken; woken without a lock held.
  private let semaphore = Semaphore()

  func add(_ job: @escaping @Sendable () -> Void) {
    state.withLock { $0.jobs.append(job) }
    semaphore.signal()
  }

  func close() {
    state.withLock { $0.isClosed = true }
    semaphore.signal()
  }

  func runUntilClosed() {
    while true {
      semaphore.wait()
      let (jobs, isClosed) = state.withLock { state in
        defer { state.jobs = [] }
        return (state.jobs, state.isClosed)
      }
      for job in jobs { job() }
      if isClosed, jobs.isEmpty { return }
      if isClosed { semaphore.signal() }
    }
  }
}

/// sem_t on the heap: it must not move.
private final class Semaphore: Sendable {
  // The semaphore is made for use from several threads; the pointer never changes.
  nonisolated(unsafe) private let pointer = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(pointer, 0, 0) }

  deinit {
    sem_destroy(pointer)
    pointer.deallocate()
  }

  func signal() { sem_post(pointer) }

  func wait() { while sem_wait(pointer) != 0 && errno == EINTR {} }
}
