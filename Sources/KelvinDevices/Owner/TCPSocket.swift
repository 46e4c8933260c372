internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// TCP connections that notice when the other side vanishes.
enum TCPSocket {
  /// Connects to the first address that answers, non-blocking afterwards. A name is looked up on the
  /// calling thread, which no deadline ends.
  static func connect(
    host: String, port: UInt16, until deadline: Deadline
  ) throws(OwnerFailure)
    -> Int32
  {
    let name = "\(host):\(port)"
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, "\(port)", &hints, &list)
    guard status == 0 else {
      throw OwnerFailure(.lost, "\(name): \(String(cString: gai_strerror(status)))")
    }
    defer { freeaddrinfo(list) }
    var failure = Errno(ENOENT)
    var entry = list
    while let address = entry?.pointee, !deadline.hasPassed, !deadline.isInterrupted {
      do { return try connect(address, until: deadline) } catch { failure = error }
      entry = address.ai_next
    }
    let hint = failure.rawValue == ECONNREFUSED ? "nothing listens there" : ""
    throw OwnerFailure(.lost, "\(name): \(failure)", hint: hint)
  }

  private static func connect(
    _ address: addrinfo, until deadline: Deadline
  ) throws(KelvinModel.Errno) -> Int32 {
    let kind =
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(address.ai_family, kind, 0)
    guard descriptor >= 0 else { throw .current }
    var error: Int32 =
      Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno
    if error == EINPROGRESS {
      var size = socklen_t(MemoryLayout<Int32>.size)
      if deadline.wait(for: descriptor, events: Int16(POLLOUT)) != .ready {
        error = ETIMEDOUT
      } else if getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0 {
        error = errno
      }
    }
    guard error == 0 else {
      close(descriptor)
      throw Errno(error)
    }
    // A console is silent for hours: only probes tell that the other side's machine is gone.
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
    return descriptor
  }
}
