internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// A line to a board that carries bytes both ways: a serial port, a pseudo terminal, a socket, or a
/// console that another process holds. Bytes may be lost, changed, doubled or foreign.
///
/// Used by one thread at a time; every call blocks that thread until its deadline at most.
package protocol ByteLink: AnyObject {
  /// What messages call it: `/dev/ttyUSB0`.
  var name: String { get }
  /// How fast the line is, both ways; nil where nobody knows. Waits get longer on slow lines.
  var bitsPerSecond: Int? { get }
  /// Sends all bytes.
  ///
  /// - Throws: `connectionLost`; `timedOut` and `interrupted`, after which some may have gone.
  func write(_ bytes: [UInt8], until deadline: Deadline) throws(ConnectionFailure)
  /// Waits for bytes and appends what has come.
  ///
  /// - Returns: false when the deadline passed or was interrupted before anything came.
  /// - Throws: `connectionLost` when nothing will ever come again.
  func read(into bytes: inout [UInt8], until deadline: Deadline) throws(ConnectionFailure) -> Bool
}

extension ByteLink {
  /// Nothing has come over the line at all.
  var saysNothing: ConnectionFailure {
    ConnectionFailure(
      .timedOut, "\(name): the board says nothing at all",
      hint: "is it powered, the cable right, and the baud rate?")
  }
}

/// A line behind a file descriptor, which it owns.
package final class DescriptorLink: ByteLink {
  package let name: String
  package let bitsPerSecond: Int?
  private let descriptor: Int32
  /// A line is read often, for few bytes each time.
  private var buffer = [UInt8](repeating: 0, count: 16_384)

  /// Takes over a descriptor, and makes it non-blocking.
  package init(_ descriptor: Int32, name: String, bitsPerSecond: Int? = nil) {
    self.name = name
    self.bitsPerSecond = bitsPerSecond
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
  }

  deinit { close(descriptor) }

  package func write(_ bytes: [UInt8], until deadline: Deadline) throws(ConnectionFailure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
        continue
      }
      if count < 0, errno == EINTR { continue }
      guard count < 0, errno == EAGAIN else { throw lost(Errno.current) }
      switch deadline.wait(for: descriptor, events: Int16(POLLOUT)) {
      case .ready: break
      case .passed: throw ConnectionFailure(.timedOut, "\(name): the line takes no more bytes")
      case .interrupted: throw ConnectionFailure(.interrupted, "\(name): stopped")
      }
    }
  }

  package func read(
    into bytes: inout [UInt8], until deadline: Deadline
  ) throws(ConnectionFailure) -> Bool {
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      let error = Errno.current
      if count > 0 {
        bytes += buffer[..<count]
        return true
      }
      if count < 0, error.rawValue == EINTR { continue }
      guard count < 0, error.rawValue == EAGAIN else {
        throw count == 0
          ? ConnectionFailure(.connectionLost, "\(name): the line has ended") : lost(error)
      }
      guard deadline.wait(for: descriptor) == .ready else { return false }
    }
  }

  private func lost(_ error: KelvinModel.Errno) -> ConnectionFailure {
    ConnectionFailure(.connectionLost, "\(name): the line is gone: \(error)")
  }
}
