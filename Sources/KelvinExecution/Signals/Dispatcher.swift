internal import Synchronization

/// Keeps which callbacks are attached to which signal, in the order in which they are called.
///
/// Callbacks may be attached and detached while a run goes on, from any thread; a signal that is
/// being sent calls those that were attached when it began.
public final class Dispatcher: Sendable {
  /// Names an attached callback.
  public struct Token: Hashable, Sendable { let number: Int, signal: Signal }

  struct Registration: Sendable {
    let hook: Hook
    /// The instrument, or whoever attached it; for messages and for switching it on per job.
    let owner: String
    let token: Token
  }

  private struct State {
    var lists = [[Registration]](repeating: [], count: Signal.all.count)
    var nextNumber = 0
  }
  private let state = Mutex(State())

  /// Creates a dispatcher without callbacks.
  public init() {}

  /// Attaches a callback; among equal priorities the one attached first is called first.
  @discardableResult
  public func attach(_ hook: Hook, owner: String) -> Token {
    state.withLock { state in
      let token = Token(number: state.nextNumber, signal: hook.signal)
      state.nextNumber += 1
      let isInverted = hook.signal.invertsPriority
      let place = state.lists[hook.signal.index].firstIndex {
        isInverted ? hook.priority < $0.hook.priority : hook.priority > $0.hook.priority
      }
      let registration = Registration(hook: hook, owner: owner, token: token)
      if let place {
        state.lists[hook.signal.index].insert(registration, at: place)
      } else {
        state.lists[hook.signal.index].append(registration)
      }
      return token
    }
  }

  /// Detaches a callback; one that is not attached any more is no error.
  public func detach(_ token: Token) {
    state.withLock { state in
      state.lists[token.signal.index].removeAll { $0.token == token }
    }
  }

  /// The callbacks of a signal in the order of calling.
  func registrations(for signal: Signal) -> [Registration] {
    state.withLock { $0.lists[signal.index] }
  }
}
