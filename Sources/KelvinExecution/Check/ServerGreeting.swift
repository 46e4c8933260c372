internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// The first line that a TCP server sends by itself, as SSH servers do (RFC 4253, 4.2).
enum ServerGreeting {
  /// Connects, reads and closes.
  ///
  /// - Returns: the first line, without its end; at most 255 bytes.
  static func read(
    host: String, port: Int64, until deadline: Deadline
  ) throws(PlainFailure) -> String {
    let name = "\(host):\(port)"
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, "\(port)", &hints, &list)
    guard status == 0, let address = list?.pointee else {
      throw PlainFailure(.infrastructure, "\(name): \(String(cString: gai_strerror(status)))")
    }
    defer { freeaddrinfo(list) }
    let descriptor = socket(
      address.ai_family,
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else {
      throw PlainFailure(.infrastructure, "\(name): \(Errno.current)")
    }
    defer { close(descriptor) }
    if connect(descriptor, address.ai_addr, address.ai_addrlen) != 0 {
      var error = errno
      if error == EINPROGRESS {
        var size = socklen_t(MemoryLayout<Int32>.size)
        let result = deadline.wait(for: descriptor, events: Int16(POLLOUT))
        if result != .ready || getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0 {
          error = ETIMEDOUT
        }
      }
      guard error == 0 else {
        throw PlainFailure(
          .infrastructure, "\(name): \(Errno(error))",
          hint: error == ECONNREFUSED ? "is the board up, and its SSH server running?" : "")
      }
    }
    var bytes: [UInt8] = []
    while bytes.count < 255, !bytes.contains(10) {
      guard deadline.wait(for: descriptor) == .ready else {
        throw PlainFailure(.timeout, "\(name): connects, but says nothing")
      }
      var buffer = [UInt8](repeating: 0, count: 256)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count < 0, errno == EAGAIN || errno == EINTR { continue }
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    let line = bytes.prefix { $0 != 10 && $0 != 13 }.prefix(255)
    guard !line.isEmpty else {
      throw PlainFailure(
        .infrastructure, "\(name): closes the connection at once",
        hint: "a port that is forwarded to a machine which is down does so")
    }
    return String(decoding: line, as: UTF8.self)
  }
}
