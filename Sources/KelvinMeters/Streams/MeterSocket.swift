internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// The bytes of a TCP connection to an instrument or to a daemon that has some. Used by one thread at a time;
/// closes with its last reference.
final class MeterSocket: Sendable {
  private let descriptor: Int32
  /// What messages call the other side.
  private let name: String
  private let received = Mutex(Received())

  /// What came and was not yet taken.
  private struct Received {
    var bytes: [UInt8] = []
    var position = 0
    /// Where recv(2) writes: made once, not for each of many small answers.
    var room = [UInt8](repeating: 0, count: 262_144)

    var count: Int { bytes.count - position }

    mutating func take(_ count: Int) -> [UInt8] {
      defer { position += count }
      return Array(bytes[position..<(position + count)])
    }
  }

  /// Connects.
  ///
  /// - Parameter name: what messages call the other side.
  init(host: String, port: UInt16, name: String, until deadline: Deadline) throws(MeterFailure) {
    self.name = name
    do throws(SocketFailure) {
      descriptor = try TCPSocket.connect(host: host, port: port, until: deadline)
    } catch {
      let message = "\(name): \(error)"
      if deadline.isInterrupted { throw MeterFailure(.interrupted, "\(name): stopped") }
      switch error {
      case .unknownHost: throw MeterFailure(.notFound, message, hint: error.hint)
      case .noLookup, .noAnswer: throw MeterFailure(.timedOut, message, hint: error.hint)
      case .system: throw MeterFailure(.connection, message, hint: error.hint)
      }
    }
  }

  deinit { close(descriptor) }

  func shutDown() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Up to a newline, which is taken, too; nil when a line is longer than `limit`.
  func line(limit: Int, until deadline: Deadline) throws(MeterFailure) -> [UInt8]? {
    while true {
      let found = received.withLock { received -> [UInt8]?? in
        let rest = received.bytes[received.position...].prefix(limit + 1)
        guard let end = rest.firstIndex(of: 10) else {
          return received.count > limit ? .some(nil) : nil
        }
        let line = received.take(end - received.position)
        received.position += 1
        return line
      }
      if let found { return found }
      try receive(until: deadline)
    }
  }

  /// So many bytes.
  func take(_ count: Int, until deadline: Deadline) throws(MeterFailure) -> [UInt8] {
    while received.withLock({ $0.count }) < count { try receive(until: deadline) }
    return received.withLock { $0.take(count) }
  }

  /// What is there, at most `limit` bytes; waits for the first.
  func some(limit: Int, until deadline: Deadline) throws(MeterFailure) -> [UInt8] {
    if received.withLock({ $0.count }) == 0 { try receive(until: deadline) }
    return received.withLock { $0.take(min(limit, $0.count)) }
  }

  /// What has come that nobody waits for; empty when nothing has.
  func leftOver() throws(MeterFailure) -> [UInt8] {
    if Deadline.after(seconds: 0).wait(for: descriptor) == .ready { try receive(until: .never) }
    return received.withLock { $0.take($0.count) }
  }

  /// Waits for more.
  private func receive(until deadline: Deadline) throws(MeterFailure) {
    while true {
      guard deadline.wait(for: descriptor) == .ready else {
        throw MeterFailure(waitingFor: name, deadline)
      }
      let descriptor = descriptor
      let (count, error) = received.withLock { received -> (Int, Errno) in
        let count = received.room.withUnsafeMutableBytes {
          recv(descriptor, $0.baseAddress, $0.count, 0)
        }
        let error = Errno.current
        received.bytes.removeFirst(received.position)
        received.position = 0
        received.bytes += received.room.prefix(max(0, count))
        return (count, error)
      }
      if count > 0 { return }
      if count == 0 { throw MeterFailure(.gone, "\(name): closed the connection") }
      guard error.rawValue == EAGAIN || error.rawValue == EINTR else {
        throw MeterFailure(.gone, "\(name): the connection broke: \(error)")
      }
    }
  }

  /// Sends all of it.
  func send(_ bytes: [UInt8], until deadline: Deadline) throws(MeterFailure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        guard deadline.wait(for: descriptor, events: Int16(POLLOUT)) == .ready else {
          throw MeterFailure(waitingFor: name, deadline)
        }
      } else if errno != EINTR {
        throw MeterFailure(.gone, "\(name): the connection broke: \(Errno.current)")
      }
    }
  }
}
