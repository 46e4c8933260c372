package import Synchronization

extension Mutex {
  /// Takes what is there, if anything is, and leaves nothing.
  package func take<Wrapped: Sendable>() -> Wrapped? where Value == Wrapped? {
    withLock { value in
      defer { value = nil }
      return value
    }
  }
}
