internal import KelvinDevices
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A device without a server: its adbd listens on the network, or it is plugged in here.
package final class ADBDirectDevice: ADBDevice {
  /// Where it is reached.
  private enum Place {
    case tcp(host: String, port: UInt16)
    /// Nil means the only one that is plugged in.
    case usb(DeviceMatch?)
  }

  package let name: String
  package var carrier: Capabilities.Carrier { if case .tcp = place { .network } else { .cable } }
  private let place: Place
  private let keys: ADBKeyStore
  private let link = Mutex<ADBLink?>(nil)

  /// Names a device on the network; nothing is connected yet.
  package convenience init(host: String, port: UInt16) {
    self.init(host: host, port: port, keys: ADBKeyStore())
  }

  init(host: String, port: UInt16, keys: ADBKeyStore) {
    place = .tcp(host: host, port: port)
    self.keys = keys
    name = "adb tcp \(host.contains(":") ? "[\(host)]" : host):\(port)"
  }

  /// Names a device on USB; nothing is opened yet.
  ///
  /// - Parameter match: nil means the only one that is plugged in with adb's interface.
  package convenience init(usb match: DeviceMatch?) {
    self.init(usb: match, keys: ADBKeyStore())
  }

  init(usb match: DeviceMatch?, keys: ADBKeyStore) {
    place = .usb(match)
    self.keys = keys
    name = "adb usb" + (match.map { " \($0)" } ?? "")
  }

  deinit { close() }

  package func features(until deadline: Deadline) throws(ConnectionFailure) -> Set<String> {
    try connected(until: deadline).agreement.features
  }

  /// What the device says of itself.
  package func banner(until deadline: Deadline) throws(ConnectionFailure) -> ADBBanner {
    try connected(until: deadline).agreement.banner
  }

  package func open(
    _ service: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> ADBStream {
    try connected(until: deadline).open(service, until: deadline)
  }

  /// Connects at the first use, and again after the link was lost: never within a service.
  private func connected(until deadline: Deadline) throws(ConnectionFailure) -> ADBLink {
    if let link = link.withLock({ $0 }), link.end == nil { return link }
    close()
    let made: ADBLink
    switch place {
    case .tcp(let host, let port): made = try connect(host, port, until: deadline)
    case .usb(let match): made = try plug(match, until: deadline)
    }
    link.withLock { $0 = made }
    return made
  }

  private func connect(
    _ host: String, _ port: UInt16, until deadline: Deadline
  ) throws(ConnectionFailure) -> ADBLink {
    let descriptor: Int32
    do {
      descriptor = try TCPSocket.connect(host: host, port: port, until: deadline)
    } catch {
      if deadline.isInterrupted { throw ConnectionFailure(.interrupted, "\(name): stopped") }
      throw ConnectionFailure(error, name: name)
    }
    let stream = ADBStream(descriptor, name: name)
    defer { stream.close() }
    let agreement = try ADBHandshake.run(stream, keys: keys, until: deadline)
    return try ADBLink(stream, agreement, name: name)
  }

  private func plug(
    _ match: DeviceMatch?, until deadline: Deadline
  ) throws(ConnectionFailure) -> ADBLink {
    let cable: ADBUSBCable
    let descriptor: Int32
    do throws(ConnectionFailure) {
      let info = try AndroidInterface.adb.find(match)
      (cable, descriptor) = try ADBUSBCable.plug(info, name: name, until: deadline)
    } catch {
      // Not found means a file of the target elsewhere.
      guard error.code == .notFound else { throw error }
      throw ConnectionFailure(
        .unreachable(.noAnswer), error.message, evidence: error.evidence, hint: error.hint)
    }
    let stream = ADBStream(descriptor, name: name, reason: { cable.end })
    defer { stream.close() }
    do throws(ConnectionFailure) {
      let agreement = try ADBHandshake.run(
        stream, keys: keys, repeatingEvery: 2, until: deadline)
      return try ADBLink(stream, agreement, name: name, cable: cable)
    } catch {
      cable.pull()
      throw error
    }
  }

  package func reconnect(until deadline: Deadline) throws(ConnectionFailure) {
    close()
    let beforePermission = deadline.limited(toSeconds: 2)
    while true {
      do {
        _ = try connected(until: deadline.limited(toSeconds: 10))
        return
      } catch {
        switch error.code {
        case .connectionLost, .timedOut, .unreachable(.noAnswer), .unreachable(.refused): break
        // A node is there before udev has given it to those who may open it.
        case .permissionDenied where !beforePermission.hasPassed: break
        default: throw error
        }
        // There is no event for a port that is opened again, nor for a device where no udevd runs.
        let pause = deadline.limited(toSeconds: 0.05).wait()
        if pause == .interrupted { throw ConnectionFailure(.interrupted, "\(name): stopped") }
        if deadline.hasPassed {
          throw ConnectionFailure(
            .timedOut, "\(name): did not come back in time: \(error.message)", hint: error.hint)
        }
      }
    }
  }

  /// Hangs up: all streams end. Idempotent.
  package func close() {
    link.take()?.close()
  }
}
