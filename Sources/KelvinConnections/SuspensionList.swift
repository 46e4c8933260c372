internal import KelvinModel
internal import Synchronization

/// Suspends on their way from the thread that notices them to the one that takes them.
final class SuspensionList: Sendable {
  private let list = Mutex<[Suspension]>([])

  func add(_ suspension: Suspension) { list.withLock { $0.append(suspension) } }

  func take() -> [Suspension] {
    list.withLock { list in
      defer { list = [] }
      return list
    }
  }
}
