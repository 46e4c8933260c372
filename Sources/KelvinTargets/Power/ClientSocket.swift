internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// A stream to a host and port, or to a unix socket: every wait has the caller's deadline.
///
/// Used by one thread. The descriptor closes with the last reference.
final class ClientSocket: Sendable {
  private let descriptor: Int32
  /// What messages call it.
  let name: String

  /// Connects over TCP; of several addresses of a name, the first that answers.
  convenience init(
    host: String, port: UInt16, as name: String, until deadline: Deadline
  ) throws(PowerFailure) {
    let addresses = try HostLookup.addresses(of: host, port: port, as: name, until: deadline)
    var failure = PowerFailure(.infrastructure, "\(name): '\(host)' has no address")
    for address in addresses {
      do {
        try self.init(address, as: name, until: deadline)
        return
      } catch {
        failure = error
        if deadline.hasPassed || deadline.isInterrupted { break }
      }
    }
    throw failure
  }

  /// Connects to a socket in the file system.
  convenience init(
    path: String, as name: String, until deadline: Deadline
  ) throws(PowerFailure) {
    guard let address = SocketAddress(path: path) else {
      throw PowerFailure(
        .configuration, "\(path): a socket's path has at most 107 bytes",
        hint: "use a shorter path, or a symbolic link to its directory")
    }
    try self.init(address, as: name, until: deadline)
  }

  private init(
    _ address: SocketAddress, as name: String, until deadline: Deadline
  ) throws(PowerFailure) {
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.family, kind | Int32(SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else {
      throw PowerFailure(.infrastructure, "\(name): no socket: \(Errno.current)")
    }
    self.descriptor = descriptor
    self.name = name
    var error: Int32 = address.connect(descriptor) == 0 ? 0 : errno
    if error == EINPROGRESS {
      guard deadline.wait(for: descriptor, events: Int16(POLLOUT)) == .ready else {
        throw PowerFailure(
          waitingFor: "\(name): connecting", deadline,
          hint: "is it switched on and on this network?")
      }
      var size = socklen_t(MemoryLayout<Int32>.size)
      getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
    }
    if error != 0 { throw SocketRefusal.failure(Errno(error), name) }
  }

  deinit { close(descriptor) }

  /// Ends both directions, so that the other side does not wait.
  func shutDown() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Sends all of it.
  func write(_ bytes: [UInt8], until deadline: Deadline) throws(PowerFailure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        guard deadline.wait(for: descriptor, events: Int16(POLLOUT)) == .ready else {
          throw PowerFailure(waitingFor: name, deadline)
        }
      } else if errno != EINTR {
        throw PowerFailure(.infrastructure, "\(name): the connection broke: \(Errno.current)")
      }
    }
  }

  /// What has come, at most 16 KiB; waits for the first byte. Empty: the other side closed.
  func read(until deadline: Deadline) throws(PowerFailure) -> [UInt8] {
    while true {
      guard deadline.wait(for: descriptor) == .ready else {
        throw PowerFailure(waitingFor: name, deadline)
      }
      var buffer = [UInt8](repeating: 0, count: 16_384)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count >= 0 { return Array(buffer[..<count]) }
      if errno != EAGAIN && errno != EINTR {
        throw PowerFailure(.infrastructure, "\(name): the connection broke: \(Errno.current)")
      }
    }
  }
}

/// Why nobody took a connection.
enum SocketRefusal {
  static func failure(_ error: Errno, _ name: String) -> PowerFailure {
    let hint =
      switch error.rawValue {
      case ECONNREFUSED: "nothing listens there: is the address right, and the service up?"
      case EHOSTUNREACH, ENETUNREACH, ETIMEDOUT: "is it switched on and on this network?"
      case EACCES, EPERM: "you may not use it: check its permissions"
      default: ""
      }
    return PowerFailure(
      error == .permissionDenied ? .configuration : .infrastructure, "\(name): \(error)", hint: hint
    )
  }
}
