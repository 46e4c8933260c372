internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// A console server: a unix socket or a TCP port of this machine that hands out wires.
package final class WireListener: Sendable {
  private let descriptor: Int32
  /// The TCP port; 0 for a unix socket.
  package let port: UInt16

  private init(_ descriptor: Int32, port: UInt16) {
    self.descriptor = descriptor
    self.port = port
  }

  deinit { close(descriptor) }

  /// Listens on a unix socket, as QEMU does for a console.
  package static func unix(_ path: String) throws(PlainFailure) -> WireListener {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw PlainFailure(.configuration, "\(path): too long for a socket")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    unlink(path)
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard status == 0, listen(descriptor, 8) == 0 else {
      throw PlainFailure(.infrastructure, "\(path): \(Errno.current)")
    }
    return WireListener(descriptor, port: 0)
  }

  /// Listens on a TCP port of 127.0.0.1; 0: one that is free.
  package static func tcp(port: UInt16 = 0) throws(PlainFailure) -> WireListener {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var one: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = port.bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
        guard bind(descriptor, address, size) == 0, listen(descriptor, 8) == 0 else { return -1 }
        return getsockname(descriptor, address, &size)
      }
    }
    guard status == 0 else {
      throw PlainFailure(.infrastructure, "127.0.0.1:\(port): \(Errno.current)")
    }
    return WireListener(descriptor, port: UInt16(bigEndian: address.sin_port))
  }

  /// Waits for somebody to connect.
  package func accept(
    until deadline: Deadline = .after(seconds: 10)
  ) throws(PlainFailure) -> ConsoleWire {
    guard deadline.wait(for: descriptor) == .ready else {
      throw PlainFailure(.timeout, "nobody connected")
    }
    let wire = kelvin_accept(descriptor)
    guard wire >= 0 else { throw PlainFailure(.infrastructure, "accept: \(Errno.current)") }
    return ConsoleWire(wire, name: "wire \(wire)")
  }
}
