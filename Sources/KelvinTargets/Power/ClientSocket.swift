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
    let descriptor: Int32
    do throws(SocketFailure) {
      descriptor = try TCPSocket.connect(host: host, port: port, until: deadline)
    } catch {
      throw PowerFailure(error, host: host, as: name, deadline)
    }
    self.init(descriptor, as: name)
  }

  /// Takes over a descriptor that is connected and does not block.
  init(_ descriptor: Int32, as name: String) {
    self.descriptor = descriptor
    self.name = name
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

extension PowerFailure {
  /// Why no connection came about.
  init(_ failure: SocketFailure, host: String = "", as name: String, _ deadline: Deadline) {
    switch failure {
    case .unknownHost(let text):
      self.init(.configuration, "\(name): host '\(host)': \(text)", hint: failure.hint)
    case .noLookup:
      self.init(waitingFor: "\(name): looking up '\(host)'", deadline, hint: failure.hint)
    case .noAnswer: self.init(waitingFor: "\(name): connecting", deadline, hint: failure.hint)
    case .system(let error):
      self.init(
        error == .permissionDenied ? .configuration : .infrastructure, "\(name): \(error)",
        hint: failure.hint)
    }
  }
}
