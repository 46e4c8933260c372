internal import CLinux
internal import Glibc

/// Wakes a thread that waits with poll(2), any number of times: an eventfd that is rung by others
/// and silenced by the one that waits.
package final class Doorbell: Sendable {
  /// To be polled for POLLIN; -1 when no descriptor could be had.
  package let descriptor: Int32

  /// Creates a doorbell that is silent.
  package init() { descriptor = kelvin_eventfd() }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Wakes the one who waits, or who waits next.
  package func ring() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  /// Makes it silent; whoever does so looks afterwards for what has changed.
  package func silence() {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
  }
}
