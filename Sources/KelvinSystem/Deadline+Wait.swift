internal import Glibc
package import KelvinModel

/// How a wait ended.
package enum WaitResult: Sendable, Hashable { case ready, passed, interrupted }

extension Deadline {
  /// Blocks the calling thread until the deadline, or until `descriptor` has one of `events` (or an
  /// error or hang-up, which poll(2) always reports), or until the interrupt is raised.
  ///
  /// - Parameter descriptor: -1 waits for time and interrupt only.
  package func wait(for descriptor: Int32 = -1, events: Int16 = Int16(POLLIN)) -> WaitResult {
    while true {
      if isInterrupted { return .interrupted }
      var polled = [
        pollfd(fd: descriptor, events: events, revents: 0),
        pollfd(fd: interrupt?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
      ]
      let count = poll(&polled, 2, pollMilliseconds)
      if count < 0, errno != EINTR { return .passed }
      if isInterrupted { return .interrupted }
      if count > 0, polled[0].revents != 0 { return .ready }
      if hasPassed { return .passed }
    }
  }

  /// The same, which also ends when one of these is raised.
  package func ended(by interrupts: [Interrupt]) -> Deadline {
    Deadline(
      time: time, interrupt: Interrupt(with: interrupts + [interrupt].compactMap { $0 }))
  }
}
