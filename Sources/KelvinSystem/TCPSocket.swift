internal import Glibc
package import KelvinModel

/// TCP connections to hosts by name, which notice when the other side vanishes.
package enum TCPSocket {
  /// Connects to the first address that answers, non-blocking afterwards; every wait has the
  /// deadline, that for the name's address too.
  ///
  /// - Returns: the descriptor, which is the caller's to close.
  package static func connect(
    host: String, port: UInt16, until deadline: Deadline
  ) throws(SocketFailure) -> Int32 {
    var failure = SocketFailure.unknownHost("has no address")
    for address in try HostLookup.addresses(of: host, port: port, until: deadline) {
      do {
        return try connect(address, until: deadline)
      } catch {
        failure = error
        if deadline.hasPassed || deadline.isInterrupted { break }
      }
    }
    throw failure
  }

  private static func connect(
    _ address: HostAddress, until deadline: Deadline
  ) throws(SocketFailure) -> Int32 {
    let kind =
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(address.family, kind, 0)
    guard descriptor >= 0 else { throw .system(.current) }
    do throws(SocketFailure) {
      try finish(address.connect(descriptor), descriptor, until: deadline)
    } catch {
      close(descriptor)
      throw error
    }
    keepAlive(descriptor)
    return descriptor
  }

  private static func finish(
    _ status: Int32, _ descriptor: Int32, until deadline: Deadline
  ) throws(SocketFailure) {
    guard status != 0 else { return }
    guard errno == EINPROGRESS else { throw .system(.current) }
    guard deadline.wait(for: descriptor, events: Int16(POLLOUT)) == .ready else { throw .noAnswer }
    var error: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 else {
      throw .system(.current)
    }
    if error != 0 { throw .system(Errno(error)) }
  }

  /// A console is silent for hours: only probes tell that the other side's machine is gone.
  private static func keepAlive(_ descriptor: Int32) {
    let options: [(level: Int32, name: Int32, value: Int32)] = [
      (SOL_SOCKET, SO_KEEPALIVE, 1), (Int32(IPPROTO_TCP), TCP_KEEPIDLE, 15),
      (Int32(IPPROTO_TCP), TCP_KEEPINTVL, 5), (Int32(IPPROTO_TCP), TCP_KEEPCNT, 3),
      (Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    ]
    for option in options {
      var value = option.value
      setsockopt(
        descriptor, option.level, option.name, &value, socklen_t(MemoryLayout<Int32>.size))
    }
  }
}
