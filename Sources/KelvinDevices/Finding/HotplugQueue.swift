internal import CLinux
internal import Glibc
internal import Synchronization

/// The bounded buffer between the monitor's thread and the one who listens.
///
/// What does not fit is counted and not kept; when the listener has taken the rest, the thread is
/// woken to look at what is there, and to tell the difference.
final class HotplugQueue: Sendable {
  private struct State {
    var events: [HotplugEvent] = []
    var waiter: CheckedContinuation<HotplugEvent?, Never>?
    var lost = 0
    var hasOverflowed = false
    var hasEnded = false
  }

  private let state = Mutex(State())
  private let capacity: Int
  /// Readable when the thread is to look again; -1 when no descriptor could be had, and then only
  /// the next event makes it look.
  let drained: Int32

  init(capacity: Int) {
    self.capacity = max(1, capacity)
    drained = kelvin_eventfd()
  }

  deinit { if drained >= 0 { close(drained) } }

  /// Events that did not fit.
  var lost: Int { state.withLock { $0.lost } }

  /// Whether events were left out that the listener has not been told of.
  var hasOverflowed: Bool { state.withLock { $0.hasOverflowed } }

  /// Counts events that were lost before they came here, and asks for another look.
  func countLoss(_ count: Int) {
    state.withLock { state in
      state.lost += count
      state.hasOverflowed = true
      if state.events.isEmpty { wake() }
    }
  }

  /// Adds an event.
  ///
  /// - Returns: false when it was left out.
  func offer(_ event: HotplugEvent) -> Bool {
    let (isTaken, waiter) = state.withLock {
      state -> (Bool, CheckedContinuation<HotplugEvent?, Never>?) in
      guard !state.hasEnded else { return (false, nil) }
      // After a loss the rest waits for the look at everything: a later event without its
      // predecessor would be told wrongly.
      guard !state.hasOverflowed, state.events.count < capacity else {
        state.lost += 1
        state.hasOverflowed = true
        return (false, nil)
      }
      if let waiter = state.waiter {
        state.waiter = nil
        return (true, waiter)
      }
      state.events.append(event)
      return (true, nil)
    }
    waiter?.resume(returning: event)
    return isTaken
  }

  /// Allows events again: the thread is about to tell the difference.
  ///
  /// - Returns: whether there is anything to tell, and room for it.
  func beginCatchingUp() -> Bool {
    clear()
    return state.withLock { state in
      guard state.hasOverflowed, state.events.isEmpty, !state.hasEnded else { return false }
      state.hasOverflowed = false
      return true
    }
  }

  /// The next event; nil at the end, or when the task is canceled.
  func next() async -> HotplugEvent? {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let now = state.withLock { state -> HotplugEvent?? in
          if !state.events.isEmpty {
            let event = state.events.removeFirst()
            if state.events.isEmpty, state.hasOverflowed { wake() }
            return .some(event)
          }
          // One listener: a second one ends the first one's wait.
          if state.hasEnded || Task.isCancelled || state.waiter != nil { return .some(nil) }
          state.waiter = continuation
          return nil
        }
        if case .some(let event) = now { continuation.resume(returning: event) }
      }
    } onCancel: {
      end()
    }
  }

  /// Ends the stream, now that what is in it has been taken.
  func end() {
    let waiter = state.withLock { state in
      state.hasEnded = true
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume(returning: nil)
  }

  private func wake() {
    guard drained >= 0 else { return }
    var one: UInt64 = 1
    _ = write(drained, &one, 8)
  }

  private func clear() {
    guard drained >= 0 else { return }
    var count: UInt64 = 0
    _ = read(drained, &count, 8)
  }
}
