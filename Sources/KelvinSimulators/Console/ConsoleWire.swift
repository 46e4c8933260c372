internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// The far end of a console: what a board would be. Bytes go both ways, each wait has a deadline.
package final class ConsoleWire: Sendable {
  private let open: Mutex<Int32>
  /// What messages call it.
  package let name: String

  /// Takes a descriptor over; it becomes non-blocking.
  package init(_ descriptor: Int32, name: String) {
    open = Mutex(descriptor)
    self.name = name
    kelvin_set_nonblocking(descriptor)
  }

  deinit { close() }

  /// To be polled; -1 after ``close()``.
  package var descriptor: Int32 { open.withLock { $0 } }

  /// Goes away: the other side sees a hang-up. Idempotent.
  package func close() {
    open.withLock { descriptor in
      if descriptor >= 0 { Glibc.close(descriptor) }
      descriptor = -1
    }
  }

  /// Sends all of it, or as much as the deadline allows.
  ///
  /// - Returns: how many bytes went.
  @discardableResult
  package func write(
    _ bytes: [UInt8], until deadline: Deadline = .after(seconds: 10)
  ) throws(PlainFailure) -> Int {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        let sent = send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        return sent < 0 && errno == ENOTSOCK
          ? Glibc.write(descriptor, $0.baseAddress, $0.count) : sent
      }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        guard deadline.wait(for: descriptor, events: Int16(POLLOUT)) == .ready else { break }
      } else if errno != EINTR {
        throw PlainFailure(.infrastructure, "\(name): \(Errno.current)")
      }
    }
    return bytes.count - rest.count
  }

  /// Reads until this many bytes came, the deadline passed, or the other side went away.
  package func read(
    count: Int, until deadline: Deadline = .after(seconds: 10)
  ) throws(PlainFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while bytes.count < count {
      let more = Glibc.read(descriptor, &buffer, min(buffer.count, count - bytes.count))
      if more > 0 {
        bytes += buffer[..<more]
      } else if more == 0 || errno == EIO || errno == ECONNRESET {
        break
      } else if errno == EAGAIN {
        guard deadline.wait(for: descriptor) == .ready else { break }
      } else if errno != EINTR {
        throw PlainFailure(.infrastructure, "\(name): \(Errno.current)")
      }
    }
    return bytes
  }

  /// Reads until these bytes came.
  ///
  /// - Returns: everything up to and with them; all that came, when they did not.
  package func read(
    through end: [UInt8], until deadline: Deadline = .after(seconds: 10)
  ) throws(PlainFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    while !bytes.suffix(end.count).elementsEqual(end) {
      let more = try read(count: 1, until: deadline)
      if more.isEmpty { break }
      bytes += more
    }
    return bytes
  }
}
