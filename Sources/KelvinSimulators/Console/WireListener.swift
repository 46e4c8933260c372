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
    let (descriptor, port) = try LoopbackPort.open(port)
    return WireListener(descriptor, port: port)
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
