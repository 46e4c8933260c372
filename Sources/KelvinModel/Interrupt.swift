internal import CLinux
internal import Glibc
internal import Synchronization

/// A flag that wakes whoever waits with poll(2): raised once, by any thread or signal handler,
/// never lowered.
///
/// The descriptor is an eventfd that stays readable once raised, so that any number of waiters see
/// it. Owned by whoever created it; closed when the last reference goes.
public final class Interrupt: Sendable {
  /// To be polled for POLLIN; -1 when no descriptor could be had, and then only ``isRaised`` tells.
  public let descriptor: Int32
  private let flag = Atomic<Bool>(false)

  /// Creates an interrupt that is not raised.
  public init() { descriptor = kelvin_eventfd() }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Whether ``raise()`` was called.
  public var isRaised: Bool { flag.load(ordering: .acquiring) }

  /// Wakes all present and future waiters. Async-signal-safe.
  public func raise() {
    flag.store(true, ordering: .releasing)
    guard descriptor >= 0 else { return }
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }
}
