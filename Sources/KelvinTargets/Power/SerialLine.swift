internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// An open serial port of this host: raw, exclusive, with the caller's deadline on every wait.
///
/// Used by one thread. Closing keeps the modem lines as they are, where the adapter's driver does.
final class SerialLine: Sendable {
  let path: String
  let descriptor: Int32

  /// Opens the port for this program alone: flock(2) keeps out whoever also asks, TIOCEXCL the rest
  /// (root excepted). Waits while another program has it, since several boards may hang on one relay
  /// board, but not for longer than ``patience``.
  ///
  /// - Throws: of kind configuration when it is not there, not permitted, or no serial port;
  ///   infrastructure when another program keeps it.
  init(path: String, baud: UInt32, until deadline: Deadline) throws(PowerFailure) {
    self.path = path
    let patience = deadline.limited(toSeconds: SerialLine.patience)
    var opened: (descriptor: Int32, error: Errno)
    repeat {
      opened = SerialLine.openLocked(path)
      // Nothing announces that a lock is free: it is tried again.
    } while opened.descriptor < 0 && opened.error.isBusy
      && patience.limited(toSeconds: 0.02).wait() == .passed && !patience.hasPassed
    descriptor = opened.descriptor
    guard descriptor >= 0 else { throw SerialLine.openFailure(path, opened.error) }
    // Failing from here on closes it: all is set, so deinit runs.
    guard kelvin_tty_exclusive(descriptor, 1) == 0, kelvin_tty_raw(descriptor, baud) == 0 else {
      let error = Errno.current
      throw PowerFailure(
        .configuration,
        error.rawValue == ENOTTY ? "\(path): it is no serial port" : "\(path): \(error)")
    }
  }

  /// Seconds; a relay is switched in less than one.
  private static let patience = 5.0

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

  private static func openFailure(_ path: String, _ error: Errno) -> PowerFailure {
    switch error.rawValue {
    case ENOENT, ENODEV, ENXIO:
      PowerFailure(
        .configuration, "\(path): \(error)",
        hint: "is it plugged in? 'kelvin bench scan' lists serial adapters")
    case EACCES, EPERM:
      PowerFailure(
        .configuration, "\(path): \(error)",
        hint: "run 'kelvin bench udev --install' or join group dialout")
    case EBUSY, EWOULDBLOCK:
      PowerFailure(
        .infrastructure, "\(path): another program uses it", hint: "'fuser \(path)' names it")
    default: PowerFailure(.infrastructure, "\(path): \(error)")
    }
  }

  /// Throws away what was received before.
  func discardInput() { _ = kelvin_tty_discard_input(descriptor) }

  /// Sends all of it.
  func write(_ bytes: [UInt8], until deadline: Deadline) throws(PowerFailure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        guard deadline.wait(for: descriptor, events: Int16(POLLOUT)) == .ready else {
          throw PowerFailure(waitingFor: path, deadline)
        }
      } else if errno != EINTR {
        throw lost(.current)
      }
    }
  }

  /// What has come, at most 256 bytes; waits for the first. Nil when the deadline passed.
  func read(until deadline: Deadline) throws(PowerFailure) -> [UInt8]? {
    while true {
      switch deadline.wait(for: descriptor) {
      case .passed: return nil
      case .interrupted: throw PowerFailure(waitingFor: path, deadline)
      case .ready: break
      }
      var buffer = [UInt8](repeating: 0, count: 256)
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count > 0 { return Array(buffer[..<count]) }
      if count == 0 { throw lost(nil) }
      if errno != EAGAIN && errno != EINTR { throw lost(.current) }
    }
  }

  /// Exactly this many bytes, or all that came before the deadline.
  func read(count: Int, until deadline: Deadline) throws(PowerFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count, let more = try read(until: deadline) { bytes += more }
    return bytes
  }

  private func lost(_ error: Errno?) -> PowerFailure {
    PowerFailure(
      .infrastructure, "\(path): the adapter is gone", evidence: error.map { "\($0)" } ?? "",
      hint: "was it unplugged?")
  }
}

extension Errno {
  /// Another program has it: TIOCEXCL's answer, or flock's.
  fileprivate var isBusy: Bool { rawValue == EBUSY || rawValue == EWOULDBLOCK }
}

/// The serial port that a switch is behind: how a bench file names it, and the port while it is open.
struct SerialPortChoice: Sendable {
  /// Nil: by ``match``.
  let path: String?
  let match: DeviceMatch?

  static func options(_ what: String) -> [OptionDeclaration] {
    [
      DeviceMatch.option(of: what),
      OptionDeclaration(
        "path", .path,
        "Its device node, when there is no 'match': one that stays the same, as in "
          + "/dev/serial/by-id.")
    ]
  }

  /// - Throws: of kind configuration unless exactly one of the two is there.
  init(_ options: DriverOptions) throws(PowerFailure) {
    path = options.text("path")
    match = DeviceMatch(options.values["match"])
    guard (path == nil) != (match == nil) else {
      throw PowerFailure(
        .configuration, path == nil ? "'match' or 'path' is missing" : "both 'match' and 'path'",
        hint: "name the device in one way")
    }
  }

  /// The device node, looked for now: a device that came back may have another one.
  func resolve(_ host: PowerHost) throws(PowerFailure) -> String {
    if let match { return try host.resolve(match) }
    return path ?? ""
  }
}
