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
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(AF_INET, kind | Int32(SOCK_NONBLOCK.rawValue), 0)
    var one: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = wanted.bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
        guard bind(descriptor, address, size) == 0, listen(descriptor, 16) == 0 else { return -1 }
        return getsockname(descriptor, address, &size)
      }
    }
    guard status == 0 else {
      let error = Errno.current
      if descriptor >= 0 { Glibc.close(descriptor) }
      throw PlainFailure(.infrastructure, "127.0.0.1:\(wanted): \(error)")
    }
    self.descriptor = descriptor
    port = UInt16(bigEndian: address.sin_port)
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
