internal import KelvinDevices
internal import KelvinModel

/// A serial port behind which a switch is, while it is open: ``SerialPort`` with this room's failures.
///
/// Used by one thread.
struct SerialLine: Sendable {
  private let port: SerialPort

  /// Opens the port for this program alone. Waits while another program has it, since several boards
  /// may hang on one relay board, but not for longer than ``patience``.
  ///
  /// - Throws: of kind configuration when it is not there, not permitted, or no serial port;
  ///   infrastructure when another program keeps it.
  init(path: String, baud: UInt32, until deadline: Deadline) throws(PowerFailure) {
    do throws(DeviceFailure) {
      port = try SerialPort(path: path, baud: baud, patience: Self.patience, until: deadline)
    } catch { throw PowerFailure(serial: error) }
  }

  /// Seconds; a relay is switched in less than one.
  private static let patience = 5.0

  var path: String { port.path }
  var descriptor: Int32 { port.descriptor }

  /// Throws away what was received before.
  func discardInput() { port.discardInput() }

  /// Sends all of it.
  func write(_ bytes: [UInt8], until deadline: Deadline) throws(PowerFailure) {
    do throws(DeviceFailure) {
      try port.write(bytes, until: deadline)
    } catch { throw PowerFailure(serial: error) }
  }

  /// What has come, at most 256 bytes; waits for the first. Nil when the deadline passed.
  func read(until deadline: Deadline) throws(PowerFailure) -> [UInt8]? {
    do throws(DeviceFailure) {
      return try port.read(until: deadline)
    } catch { throw PowerFailure(serial: error) }
  }

  /// Exactly this many bytes, or all that came before the deadline.
  func read(count: Int, until deadline: Deadline) throws(PowerFailure) -> [UInt8] {
    do throws(DeviceFailure) {
      return try port.read(count: count, until: deadline)
    } catch { throw PowerFailure(serial: error) }
  }
}

extension PowerFailure {
  /// A bench file that names a port that is not there is to be corrected.
  fileprivate init(serial failure: DeviceFailure) {
    self.init(
      failure.problem == .absent ? .configuration : failure.kind, failure.message,
      evidence: failure.evidence, hint: failure.hint)
  }
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
