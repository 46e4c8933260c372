internal import CLinux
internal import Glibc
internal import Synchronization

/// A flag that wakes whoever waits with poll(2): raised once, by any thread or signal handler,
/// never lowered.
///
/// The descriptor is an eventfd that stays readable once raised, so that any number of waiters see
/// it; or, of one that others raise too, an epoll(7) of all their eventfds. Owned by whoever created
/// it; closed when the last reference goes.
public final class Interrupt: Sendable {
  /// To be polled for POLLIN; -1 when no descriptor could be had, and then only ``isRaised`` tells.
  public let descriptor: Int32
  private let event: Int32
  private let others: [Interrupt]
  private let flag = Atomic<Bool>(false)
  private let lossFlag = Atomic<Bool>(false)

  /// Creates an interrupt that is not raised.
  public init() {
    event = kelvin_eventfd()
    descriptor = event
    others = []
  }

  /// Creates an interrupt that is raised when it is, or any of the others.
  public init(with others: [Interrupt]) {
    event = kelvin_eventfd()
    self.others = others
    let all = [event] + others.map(\.descriptor)
    descriptor = kelvin_any_of(all, Int32(all.count))
  }

  deinit {
    if descriptor != event, descriptor >= 0 { close(descriptor) }
    if event >= 0 { close(event) }
  }

  /// Whether ``raise()`` was called, on it or on one that it was made with.
  public var isRaised: Bool {
    flag.load(ordering: .acquiring) || others.contains { $0.isRaised }
  }

  /// Whether it was raised because what is waited for is gone, by ``raiseAsLoss()``.
  public var isLoss: Bool {
    lossFlag.load(ordering: .acquiring) || others.contains { $0.isLoss }
  }

  /// Wakes all waiters as ``raise()`` does, and says that the board they wait for is lost: nobody need
  /// try to tell it anything more.
  public func raiseAsLoss() {
    lossFlag.store(true, ordering: .releasing)
    raise()
  }

  /// Wakes all present and future waiters. Async-signal-safe.
  public func raise() {
    // Once: who raises it with each batch of samples makes one system call.
    guard !flag.exchange(true, ordering: .acquiringAndReleasing), event >= 0 else { return }
    var one: UInt64 = 1
    _ = write(event, &one, 8)
  }
}
