package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A device without a server, over TCP: its adbd listens on the network.
package final class ADBDirectDevice: ADBDevice {
  package let name: String
  private let host: String
  private let port: UInt16
  private let keys: ADBKeyStore
  private let link = Mutex<ADBLink?>(nil)

  /// Names a device; nothing is connected yet.
  package convenience init(host: String, port: UInt16) {
    self.init(host: host, port: port, keys: ADBKeyStore())
  }

  init(host: String, port: UInt16, keys: ADBKeyStore) {
    self.host = host
    self.port = port
    self.keys = keys
    name = "adb tcp \(host.contains(":") ? "[\(host)]" : host):\(port)"
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
    let made = try ADBLink(stream, agreement, name: name)
    link.withLock { $0 = made }
    return made
  }

  package func reconnect(until deadline: Deadline) throws(ConnectionFailure) {
    close()
    while true {
      do {
        _ = try connected(until: deadline.limited(toSeconds: 10))
        return
      } catch {
        switch error.code {
        case .connectionLost, .timedOut, .unreachable(.noAnswer), .unreachable(.refused): break
        default: throw error
        }
        // There is no event for a port that is opened again.
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
    let current = link.withLock { link in
      defer { link = nil }
      return link
    }
    current?.close()
  }
}
