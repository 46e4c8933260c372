internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// Follows what is plugged in and pulled: a thread of its own listens to udev, and hands events over a
/// bounded buffer.
///
/// ```
/// let monitor = try HotplugMonitor(subsystems: ["tty", "usb"])
/// for await event in monitor.events { ... }
/// ```
///
/// The thread ends with ``stop()``, or with the last reference; a stream of events holds one.
public final class HotplugMonitor: Sendable {
  /// Events that wait for a slow listener; a hub with a full bench behind it makes about a hundred.
  public static let defaultCapacity = 1024

  public let source: HotplugSource
  /// What was there when it began; events are about what came after.
  public let initial: [HostDevice]
  private let queue: HotplugQueue
  let interrupt: Interrupt
  private let thread: NamedThread

  /// Begins to listen.
  ///
  /// - Parameters:
  ///   - subsystems: of the devices that matter.
  ///   - source: by default udev's events where udevd runs, else the kernel's.
  ///   - capacity: of the buffer, in events.
  /// - Throws: ``DeviceFailure`` when libudev cannot be used, or no thread is left.
  public init(
    subsystems: [String], source: HotplugSource = .present, capacity: Int = defaultCapacity
  ) throws(DeviceFailure) {
    // The monitor first, then the look around: what comes in between is seen by both, and told once.
    let context = try UDevContext(monitoring: source, subsystems: subsystems)
    let initial = context.devices(subsystems: subsystems)
    let queue = HotplugQueue(capacity: capacity)
    let interrupt = Interrupt()
    guard interrupt.descriptor >= 0 else {
      throw DeviceFailure(.unavailable, "no descriptor is left for a hotplug monitor")
    }
    self.source = source
    self.initial = initial
    self.queue = queue
    self.interrupt = interrupt
    do {
      thread = try NamedThread("hotplug") {
        HotplugMonitor.listen(
          to: context, subsystems: subsystems, ledger: HotplugLedger(initial), queue, interrupt)
      }
    } catch {
      throw DeviceFailure(.unavailable, error.message, evidence: error.evidence)
    }
  }

  deinit { end() }

  /// What happens from now on. One listener at a time.
  public var events: AsyncStream<HotplugEvent> {
    AsyncStream { [self] in await queue.next() }
  }

  /// Events that a slow listener or the kernel's full buffer cost; the listener was told the
  /// difference instead.
  public var lostEvents: Int { queue.lost }

  /// Ends the stream and the thread. Idempotent.
  public func stop() {
    end()
    thread.join()
  }

  private func end() {
    interrupt.raise()
    queue.end()
  }

  private static func listen(
    to context: UDevContext, subsystems: [String], ledger: HotplugLedger, _ queue: HotplugQueue,
    _ interrupt: Interrupt
  ) {
    var ledger = ledger
    while !interrupt.isRaised {
      var polled = [
        pollfd(fd: context.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: interrupt.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: queue.drained, events: Int16(POLLIN), revents: 0)
      ]
      guard poll(&polled, nfds_t(polled.count), -1) > 0 else { continue }
      if polled[0].revents != 0 {
        // All that waits, so that a burst costs one wake-up.
        reading: while !interrupt.isRaised {
          switch context.receive() {
          case .nothing: break reading
          case .overflow: queue.countLoss(1)
          case .event(let action, let device):
            // A lost event is not applied: the ledger holds what the listener was told.
            if let event = ledger.event(for: action, device), queue.offer(event) {
              ledger.apply(event)
            }
          }
        }
      }
      if queue.beginCatchingUp() {
        for event in ledger.events(leadingTo: context.devices(subsystems: subsystems)) {
          // What does not fit is told when the listener has taken these.
          guard queue.offer(event) else { break }
          ledger.apply(event)
        }
      }
    }
  }
}
