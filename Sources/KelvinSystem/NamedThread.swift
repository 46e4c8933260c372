internal import CLinux
internal import Glibc
package import KelvinModel
internal import Synchronization

/// A thread for blocking work: runs one closure, and is joined.
package final class NamedThread: Sendable {
  private final class Body: Sendable {
    let name: String
    let run: @Sendable () -> Void
    init(name: String, run: @escaping @Sendable () -> Void) {
      self.name = name
      self.run = run
    }
  }
  private let thread: Mutex<pthread_t?>

  /// Starts the thread.
  ///
  /// - Parameter name: shown by ps and perf; the kernel keeps 15 bytes.
  /// - Throws: when the machine has no thread left.
  package init(_ name: String, _ run: @escaping @Sendable () -> Void) throws(PlainFailure) {
    let body = Unmanaged.passRetained(Body(name: name, run: run))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
        kelvin_set_thread_name(body.name)
        body.run()
        return nil
      }, body.toOpaque())
    guard status == 0 else {
      body.release()
      throw PlainFailure(
        .infrastructure, "\(name): no thread could be started: \(Errno(status))")
    }
    self.thread = Mutex(thread)
  }

  /// Waits for the closure's end. Idempotent.
  package func join() { if let thread = take() { pthread_join(thread, nil) } }

  deinit { if let thread = take() { pthread_detach(thread) } }

  private func take() -> pthread_t? {
    thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
  }
}
