internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// One service's stream on the device's side: the session's thread delivers, the service's thread
/// takes and sends.
final class ADBDStream: Sendable {
  private struct State {
    var inbox: [UInt8] = []
    var owesAcknowledgement = false
    var mayWrite = false
    var isEnded = false
    var isClosed = false
    var isAbandoned = false
    var sent = 0
  }
  let id: UInt32
  private let hostID: UInt32
  private let session: ADBDSession
  let fault: ADBDFault.Kind
  private let state = Mutex(State())
  /// Rings when something arrived, when more may be written, and at the end.
  let bell = Doorbell()

  init(_ session: ADBDSession, id: UInt32, hostID: UInt32, fault: ADBDFault.Kind) {
    self.session = session
    self.id = id
    self.hostID = hostID
    self.fault = fault
  }

  // MARK: The session's side

  func arrived(_ bytes: [UInt8]) {
    state.withLock { state in
      state.inbox += bytes
      state.owesAcknowledgement = true
    }
    bell.ring()
  }

  func acknowledged() {
    state.withLock { $0.mayWrite = true }
    bell.ring()
  }

  func end() {
    state.withLock { $0.isEnded = true }
    bell.ring()
  }

  /// The host is another one, which knows nothing of this stream.
  func abandon() {
    state.withLock { $0.isAbandoned = true }
    end()
  }

  var isAbandoned: Bool { state.withLock { $0.isAbandoned } }

  // MARK: The service's side

  /// Whether the host has hung up, or the device restarts.
  var isEnded: Bool { session.ending.isRaised || state.withLock { $0.isEnded } }

  /// Takes what has arrived; the host may send the next packet then.
  func take() -> [UInt8] {
    let (bytes, owes) = state.withLock { state in
      defer {
        state.inbox = []
        state.owesAcknowledgement = false
      }
      return (state.inbox, state.owesAcknowledgement)
    }
    if owes, !isEnded {
      session.send(ADBDPacket(command: .okay, first: id, second: hostID), of: self)
    }
    return bytes
  }

  /// Waits for the bell, or the session's end.
  private func wait() {
    _ = Deadline(time: nil, interrupt: session.ending).wait(for: bell.descriptor)
    bell.silence()
  }

  /// Waits for something to arrive; nil at the end.
  func receive() -> [UInt8]? {
    while true {
      let bytes = take()
      if !bytes.isEmpty { return bytes }
      if isEnded { return nil }
      wait()
    }
  }

  /// Sends bytes, packet by packet, each when the host has taken the one before.
  ///
  /// - Returns: false when the host has hung up, or the fault struck.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let part = Array(rest.prefix(session.maximumData))
      guard waitUntilWritable(), sendPacket(part) else { return false }
      rest = rest.dropFirst(part.count)
    }
    return true
  }

  private func waitUntilWritable() -> Bool {
    while true {
      if isEnded { return false }
      let mayWrite = state.withLock { state in
        defer { state.mayWrite = false }
        return state.mayWrite
      }
      if mayWrite { return true }
      wait()
    }
  }

  private func sendPacket(_ part: [UInt8]) -> Bool {
    let sent = state.withLock { state in
      defer { state.sent += part.count }
      return state.sent
    }
    var packet = ADBDPacket(command: .wrte, first: id, second: hostID, payload: part)
    switch fault {
    case .drop(let limit) where sent + part.count > limit:
      packet.payload = Array(part.prefix(limit - sent))
      if !packet.payload.isEmpty { session.send(packet, of: self) }
      session.drop()
      return false
    case .stall(let limit) where sent + part.count > limit:
      packet.payload = Array(part.prefix(limit - sent))
      if !packet.payload.isEmpty { session.send(packet, of: self) }
      while !isEnded { wait() }
      return false
    case .truncate(let limit) where sent + part.count > limit:
      packet.payload = Array(part.prefix(limit - sent))
      if !packet.payload.isEmpty { session.send(packet, of: self) }
      close()
      return false
    case .corruptMagic(let limit) where sent + part.count > limit:
      return session.send(packet, of: self, damagesMagic: true)
    case .corruptData: return session.send(packet, of: self, damagesData: true)
    case .delay(let seconds):
      _ = Deadline.after(seconds: seconds, interrupt: session.ending).wait()
      return session.send(packet, of: self)
    default: return session.send(packet, of: self)
    }
  }

  /// Ends the service. Idempotent.
  func close() {
    let isFirst = state.withLock { state in
      defer {
        state.isClosed = true
        state.isEnded = true
      }
      return !state.isClosed
    }
    guard isFirst else { return }
    session.send(ADBDPacket(command: .clse, first: id, second: hostID), of: self)
    session.forget(self)
  }
}
