internal import Synchronization

/// Something that is done once, by whoever comes first.
package struct Once: ~Copyable, Sendable {
  private let isDone = Atomic<Bool>(false)

  /// Nobody has come yet.
  package init() {}

  /// Whether somebody has come.
  package var hasBegun: Bool { isDone.load(ordering: .acquiring) }

  /// - Returns: true for the first caller.
  package func begin() -> Bool { !isDone.exchange(true, ordering: .acquiringAndReleasing) }
}
