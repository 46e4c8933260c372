package import KelvinModel

extension ADBServer {
  /// The server's version: 41 for all servers since 2018.
  package func version(until deadline: Deadline) throws(ConnectionFailure) -> Int {
    let text = try ask("host:version", until: deadline)
    guard let version = Int(text, radix: 16) else {
      throw ConnectionFailure(.unsupported, "\(self): '\(text)' where a version should be")
    }
    return version
  }

  /// The devices that the server knows, in whatever state.
  package func devices(until deadline: Deadline) throws(ConnectionFailure) -> [ADBDeviceRecord] {
    ADBDeviceRecord.list(try ask("host:devices-l", until: deadline))
  }

  /// Follows the list of devices; the first list comes at once.
  ///
  /// The server tells of a device's loss only when it sees it: for TCP that may be when the device is
  /// back, so nothing here says that a device that is listed answers.
  package func track(until deadline: Deadline) throws(ConnectionFailure) -> ADBTracker {
    do {
      return ADBTracker(self, try open("host:track-devices-l", until: deadline))
    } catch {
      guard error.code == .unsupported else { throw error }
      // Servers from before 2016 have no long form.
      return ADBTracker(self, try open("host:track-devices", until: deadline))
    }
  }

  /// What the device can do; for the only device, what the server knows of that.
  package func features(
    of selector: ADBSelector, until deadline: Deadline
  ) throws(ConnectionFailure) -> Set<String> {
    let text = try ask(selector.prefix + "features", until: deadline)
    return Set(text.split(separator: ",").map(String.init))
  }

  /// The state of a device; one that is not there is `unreachable`.
  package func state(
    of selector: ADBSelector, until deadline: Deadline
  ) throws(ConnectionFailure) -> ADBState {
    ADBState(try ask(selector.prefix + "get-state", until: deadline))
  }

  /// Waits until a device has a state: `device`, `recovery`, `bootloader`, `sideload`, `disconnect`,
  /// `any`. The server looks every 100 ms.
  package func wait(
    for state: String, of selector: ADBSelector, until deadline: Deadline
  ) throws(ConnectionFailure) {
    let service = selector.prefix + "wait-for-any-\(state)"
    let stream = try open(service, until: deadline)
    defer { stream.close() }
    do {
      try acknowledge(service, on: stream, until: deadline)
    } catch {
      guard error.code == .timedOut else { throw error }
      throw ConnectionFailure(
        .timedOut, "adb device \(selector): was not '\(state)' in time (\(self))")
    }
  }

  /// The number of a device's connection, by which it stays named when others have its serial number.
  package func transportID(
    of selector: ADBSelector, until deadline: Deadline
  ) throws(ConnectionFailure) -> UInt64 {
    switch selector {
    case .transportID(let id): return id
    case .any, .serial:
      var service = "host:tport:any"
      if case .serial(let serial) = selector { service = "host:tport:serial:\(serial)" }
      let stream = try open(service, until: deadline)
      defer { stream.close() }
      return try stream.read(8, until: deadline).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  /// Makes the server connect to a device over TCP.
  ///
  /// - Throws: `unreachable` with the server's words: it answers OKAY
  ///   whatever came of it, so its text is what counts.
  package func connectDevice(
    _ address: String, until deadline: Deadline
  ) throws(ConnectionFailure) {
    let text = try ask("host:connect:\(address)", until: deadline)
    if text.hasPrefix("connected to") || text.hasPrefix("already connected to") { return }
    if text.contains("authenticate") {
      throw ConnectionFailure(
        .unreachable(.notAdmitted), "adb device \(address): \(text)",
        hint: "accept the key of this host on the device's screen")
    }
    throw ConnectionFailure(
      .unreachable(.noAnswer), "adb device \(address): \(text)",
      hint: "is it up, and does its adbd listen there ('adb tcpip 5555')?")
  }

  /// Makes the server forget a device over TCP; one that it does not know counts as forgotten.
  package func disconnectDevice(
    _ address: String, until deadline: Deadline
  ) throws(ConnectionFailure) {
    do {
      _ = try ask("host:disconnect:\(address)", until: deadline)
    } catch {
      guard error.code == .unreachable(.noAnswer) else { throw error }
    }
  }
}

/// The list of devices as it changes.
package final class ADBTracker {
  private let server: ADBServer
  private let stream: ADBStream

  init(_ server: ADBServer, _ stream: ADBStream) {
    self.server = server
    self.stream = stream
  }

  /// Waits for the next list.
  package func next(until deadline: Deadline) throws(ConnectionFailure) -> [ADBDeviceRecord] {
    ADBDeviceRecord.list(try server.text(stream, until: deadline))
  }

  /// Ends it. Idempotent.
  package func close() { stream.close() }
}
