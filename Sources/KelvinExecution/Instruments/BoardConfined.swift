internal import Synchronization

/// A value that an instrument or workload keeps between its callbacks.
///
/// Callbacks of one board never run at the same time, so the lock is never waited for; it is there
/// because the compiler cannot know that.
public final class BoardConfined<Value: Sendable>: Sendable {
  private let mutex: Mutex<Value>

  /// Creates the state.
  public init(_ value: Value) { mutex = Mutex(value) }

  /// The value; reading and writing are separate steps.
  public var value: Value {
    get { mutex.withLock { $0 } }
    set { mutex.withLock { $0 = newValue } }
  }

  /// Gives the value and puts another one in its place.
  public func exchange(_ newValue: Value) -> Value {
    mutex.withLock { value in
      defer { value = newValue }
      return value
    }
  }
}
