internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// An open serial port of this host: raw, exclusive, with the caller's deadline on every wait.
///
/// Used by one thread. Closing keeps the modem lines as they are, where the adapter's driver does.
package final class SerialPort: Sendable {
  package let path: String
  package let descriptor: Int32

  /// Opens the port for this program alone: flock(2) keeps out whoever also asks, TIOCEXCL the rest
  /// (root excepted).
  ///
  /// - Parameters:
  ///   - baud: bits a second; of no meaning to a USB device that only looks like a line.
  ///   - patience: how long to wait while another program has it, in seconds.
  /// - Throws: `absent`, `notPermitted`, `busy`, `unsuitable`, `vanished`.
  package init(
    path: String, baud: UInt32, patience: Double, until deadline: Deadline
  ) throws(DeviceFailure) {
    self.path = path
    let patience = deadline.limited(toSeconds: patience)
    var opened: (descriptor: Int32, error: Errno)
    repeat {
      opened = SerialPort.openLocked(path)
      // Nothing announces that a lock is free: it is tried again.
    } while opened.descriptor < 0 && opened.error.isBusy
      && patience.limited(toSeconds: 0.02).wait() == .passed && !patience.hasPassed
    descriptor = opened.descriptor
    guard descriptor >= 0 else { throw SerialPort.openFailure(path, opened.error) }
    // Failing from here on closes it: all is set, so deinit runs.
    guard kelvin_tty_exclusive(descriptor, 1) == 0, kelvin_tty_raw(descriptor, baud) == 0 else {
      let error = Errno.current
      throw error.rawValue == ENOTTY
        ? DeviceFailure(.unsuitable, "\(path): it is no serial port")
        : DeviceFailure(.vanished, "\(path): \(error)")
    }
  }

  private static func openLocked(_ path: String) -> (Int32, Errno) {
    let descriptor = kelvin_open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0)
    if descriptor < 0 { return (-1, .current) }
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return (descriptor, Errno(0)) }
    let error = Errno.current
    close(descriptor)
    return (-1, error)
  }

  deinit {
    guard descriptor >= 0 else { return }
    // Somebody else may hold it open, and then the close does not undo this.
    _ = kelvin_tty_exclusive(descriptor, 0)
    close(descriptor)
  }

  private static func openFailure(_ path: String, _ error: Errno) -> DeviceFailure {
    switch error.rawValue {
    case ENOENT, ENODEV, ENXIO:
      DeviceFailure(
        .absent, "\(path): \(error)",
        hint: "is it plugged in? 'kelvin bench scan' lists serial adapters")
    case EACCES, EPERM:
      DeviceFailure(
        .notPermitted, "\(path): \(error)",
        hint: "run 'kelvin bench udev --install' or join group dialout")
    case EBUSY, EWOULDBLOCK:
      DeviceFailure(
        .busy, "\(path): another program uses it", hint: "'fuser \(path)' names it")
    default: DeviceFailure(.vanished, "\(path): \(error)")
    }
  }

  /// Throws away what was received before.
  package func discardInput() { _ = kelvin_tty_discard_input(descriptor) }

  /// Sends all of it.
  ///
  /// - Throws: `timedOut`, `interrupted`, `vanished`.
  package func write(_ bytes: [UInt8], until deadline: Deadline) throws(DeviceFailure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        switch deadline.wait(for: descriptor, events: Int16(POLLOUT)) {
        case .ready: break
        case .passed: throw DeviceFailure(.timedOut, "\(path): no answer in time")
        case .interrupted: throw interrupted
        }
      } else if errno != EINTR {
        throw lost(.current)
      }
    }
  }

  /// What has come, at most 256 bytes; waits for the first. Nil when the deadline passed.
  ///
  /// - Throws: `interrupted`, `vanished`.
  package func read(until deadline: Deadline) throws(DeviceFailure) -> [UInt8]? {
    while true {
      switch deadline.wait(for: descriptor) {
      case .passed: return nil
      case .interrupted: throw interrupted
      case .ready: break
      }
      var buffer = [UInt8](repeating: 0, count: 256)
      let count = try read(into: &buffer)
      if count > 0 { return Array(buffer[..<count]) }
    }
  }

  /// Exactly this many bytes, or all that came before the deadline.
  package func read(count: Int, until deadline: Deadline) throws(DeviceFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count, let more = try read(until: deadline) { bytes += more }
    return bytes
  }

  /// What is there, as much as fits; 0 when there is nothing. Does not wait.
  ///
  /// - Throws: `vanished`.
  package func read(into buffer: inout [UInt8]) throws(DeviceFailure) -> Int {
    var filled = 0
    // A terminal gives at most a few KiB at a time.
    while filled < buffer.count {
      let count = buffer.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress.map { $0 + filled }, $0.count - filled)
      }
      if count > 0 {
        filled += count
        continue
      }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN || filled > 0 { break }
      // What was read before the end is handed over; the end comes with the next call.
      if filled > 0 { break }
      throw lost(count == 0 ? nil : .current)
    }
    return filled
  }

  private var interrupted: DeviceFailure {
    DeviceFailure(.interrupted, "\(path): stopped while waiting")
  }

  private func lost(_ error: Errno?) -> DeviceFailure {
    DeviceFailure(
      .vanished, "\(path): the adapter is gone", evidence: error.map { "\($0)" } ?? "",
      hint: "was it unplugged?")
  }
}

extension Errno {
  /// Another program has it: TIOCEXCL's answer, or flock's.
  fileprivate var isBusy: Bool { rawValue == EBUSY || rawValue == EWOULDBLOCK }
}
