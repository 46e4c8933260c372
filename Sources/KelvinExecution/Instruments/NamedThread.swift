internal import CLinux
internal import Glibc
internal import KelvinModel

/// A thread for blocking work beside the board's own: runs one closure, and is joined.
final class NamedThread: Sendable {
  private final class Body: Sendable {
    let name: String
    let run: @Sendable () -> Void
    init(name: String, run: @escaping @Sendable () -> Void) {
      self.name = name
      self.run = run
    }
  }
  private let thread: BoardState<pthread_t?>

  /// Starts the thread.
  ///
  /// - Parameter name: shown by ps and perf; the kernel keeps 15 bytes.
  /// - Throws: when the machine has no thread left.
  init(_ name: String, _ run: @escaping @Sendable () -> Void) throws(PlainFailure) {
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
    self.thread = BoardState(thread)
  }

  /// Waits for the closure's end. Idempotent.
  func join() { if let thread = thread.exchange(nil) { pthread_join(thread, nil) } }

  deinit { if let thread = thread.exchange(nil) { pthread_detach(thread) } }
}
