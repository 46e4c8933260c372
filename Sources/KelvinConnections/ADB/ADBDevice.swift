package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A device on which services are opened: through the adb server, or directly.
package protocol ADBDevice: Sendable {
  /// What messages call it: `adb rock`.
  var name: String { get }
  /// What its link goes over.
  var carrier: Capabilities.Carrier { get }
  /// What it can do: `shell_v2`, `stat_v2`. Asked once for each connection of the device.
  func features(until deadline: Deadline) throws(ConnectionFailure) -> Set<String>
  /// Opens a service, such as `shell,v2,raw:ls` or `sync:`.
  func open(_ service: String, until deadline: Deadline) throws(ConnectionFailure) -> ADBStream
  /// Waits until the device answers again after it went away; what was known of it is forgotten.
  func reconnect(until deadline: Deadline) throws(ConnectionFailure)
  /// Hangs up. Idempotent.
  func close()
}

/// A device behind the adb server.
package final class ADBServerDevice: ADBDevice {
  package let server: ADBServer
  package let selector: ADBSelector
  private let known = Mutex<Set<String>?>(nil)

  /// Names a device; nothing is asked yet.
  package init(_ server: ADBServer = ADBServer(), _ selector: ADBSelector) {
    self.server = server
    self.selector = selector
  }

  package var name: String { "adb \(selector)" }
  package var carrier: Capabilities.Carrier { selector.carrier }

  package func features(until deadline: Deadline) throws(ConnectionFailure) -> Set<String> {
    if let features = known.withLock({ $0 }) { return features }
    let features = try server.features(of: selector, until: deadline)
    known.withLock { $0 = features }
    return features
  }

  package func open(
    _ service: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> ADBStream {
    do {
      return try server.open(service, on: selector, until: deadline)
    } catch {
      // It may come back as another one.
      known.withLock { $0 = nil }
      throw error
    }
  }

  /// The server sees that a device over TCP is gone only by its own clock, and tries again every
  /// 3 or 10 seconds; forgetting it and connecting anew is as fast as the device.
  package func reconnect(until deadline: Deadline) throws(ConnectionFailure) {
    known.withLock { $0 = nil }
    var last: ConnectionFailure?
    while true {
      do {
        try probe(until: deadline.limited(toSeconds: 2))
        return
      } catch {
        if error.code == .interrupted || error.code == .unreachable(.notAdmitted) { throw error }
        last = error
      }
      if case .serial(let address) = selector, ADBServerDevice.isAddress(address) {
        try? server.disconnectDevice(address, until: deadline.limited(toSeconds: 2))
        // The server waits 10 s for a device that accepted and went away again.
        try? server.connectDevice(address, until: deadline.limited(toSeconds: 3))
      }
      // The server has no event for a device that answers again; its own wait looks every 100 ms too.
      let pause = deadline.limited(toSeconds: 0.1).wait()
      if pause == .interrupted { throw ConnectionFailure(.interrupted, "\(name): stopped") }
      if deadline.hasPassed {
        throw ConnectionFailure(
          .timedOut, "\(name): did not come back in time: \(last?.message ?? "")",
          hint: last?.hint ?? "")
      }
    }
  }

  /// Whether the device itself answers, not only the server.
  private func probe(until deadline: Deadline) throws(ConnectionFailure) {
    let stream = try open("shell:echo kelvin", until: deadline)
    defer { stream.close() }
    let answer = try stream.readToEnd(limit: 65_536, until: deadline)
    guard String(decoding: answer, as: UTF8.self).contains("kelvin") else { throw stream.lost() }
  }

  /// Whether a serial number is that of a device over TCP.
  private static func isAddress(_ serial: String) -> Bool {
    guard let colon = serial.lastIndex(of: ":"), !serial.hasPrefix("usb:") else { return false }
    return UInt16(serial[serial.index(after: colon)...]) != nil
  }

  package func close() {}
}
