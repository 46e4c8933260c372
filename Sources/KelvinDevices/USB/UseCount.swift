internal import Synchronization

/// Who uses something that is to be closed only when nobody does any more.
///
/// Closing refuses new users, asks the present ones to end, and leaves the act itself to the last.
final class UseCount: Sendable {
  private struct State {
    var cancels: [Int: @Sendable () -> Void] = [:]
    var next = 0
    var close: (@Sendable () -> Void)?
    var isClosed = false
  }
  private let state = Mutex(State())

  /// - Parameter cancel: asks the user to end soon; called at most once, from ``close(_:)``.
  /// - Returns: what ``end(_:)`` takes; nil when it is closed.
  func begin(_ cancel: @escaping @Sendable () -> Void) -> Int? {
    state.withLock { state in
      guard !state.isClosed else { return nil }
      state.next += 1
      state.cancels[state.next] = cancel
      return state.next
    }
  }

  func end(_ use: Int) {
    let close = state.withLock { state -> (@Sendable () -> Void)? in
      state.cancels[use] = nil
      guard state.cancels.isEmpty else { return nil }
      defer { state.close = nil }
      return state.close
    }
    close?()
  }

  /// Closes now, or with the last use; the first call counts.
  func close(_ act: @escaping @Sendable () -> Void) {
    let (isFirst, cancels) = state.withLock { state in
      defer { state.isClosed = true }
      if !state.isClosed, !state.cancels.isEmpty { state.close = act }
      return (!state.isClosed, Array(state.cancels.values))
    }
    guard isFirst else { return }
    if cancels.isEmpty { act() }
    for cancel in cancels { cancel() }
  }
}
