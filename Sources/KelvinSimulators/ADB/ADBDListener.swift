internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// Listens on a port of 127.0.0.1.
struct ADBDListener: Sendable {
  let port: UInt16
  private let descriptor: Int32

  /// - Parameter port: 0 takes a free one, but none of the odd ones from 5555 to 5585: every adb server
  ///   takes those for emulators.
  init(port wanted: UInt16) throws(PlainFailure) {
    (descriptor, port) = try LoopbackPort.open(wanted)
    _ = kelvin_set_nonblocking(descriptor)
  }

  func close() { Glibc.close(descriptor) }

  /// Hands connections over until it is stopped, or the device restarts.
  func accept(stopping: Interrupt, restarting: Doorbell, _ begin: (Int32) -> Void) {
    while true {
      var polled = [descriptor, stopping.descriptor, restarting.descriptor].map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      poll(&polled, 3, -1)
      if polled[2].revents != 0 {
        restarting.silence()
        return
      }
      if stopping.isRaised { return }
      let client = kelvin_accept(descriptor)
      guard client >= 0 else { continue }
      var one: Int32 = 1
      setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
      begin(client)
    }
  }
}
