internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// One host's connection to the simulated device.
final class ADBDSession: Sendable {
  private struct State {
    var streams: [UInt32: ADBDStream] = [:]
    var nextID: UInt32 = 1
    var hostVersion: UInt32 = 0x0100_0000
    var maximumData = 4096
    var isOnline = false
    var token: [UInt8] = []
    var threads: [NamedThread] = []
  }
  let shared: ADBDShared
  private let wire: any ADBDWire
  /// Raised when this connection is to end.
  let ending: Interrupt
  private let state = Mutex(State())
  /// Held while a packet is written.
  private let writing = Mutex<Void>(())

  init(_ shared: ADBDShared, _ wire: any ADBDWire, _ life: Interrupt) {
    self.shared = shared
    self.wire = wire
    ending = life
  }

  var maximumData: Int { state.withLock { $0.maximumData } }

  /// Until either side hangs up.
  func run() {
    if case .silent = shared.fault(of: "") {
      _ = Deadline(time: nil, interrupt: ending).wait()
      return
    }
    while let (packet, check) = wire.read() {
      if packet.command == .cnxn || !skipsChecks {
        guard packet.payload.reduce(UInt32(0), { $0 &+ UInt32($1) }) == check else { break }
      }
      guard take(packet) else { break }
    }
    hangUp()
  }

  /// Both sides skip checksums when both are new.
  private var skipsChecks: Bool {
    min(shared.settings.version, state.withLock { $0.hostVersion }) >= 0x0100_0001
  }

  /// Ends all services of this connection.
  func hangUp() {
    wire.drop()
    let (streams, threads) = state.withLock { ($0.streams.values, $0.threads) }
    for stream in streams { stream.end() }
    for thread in threads { thread.join() }
  }

  /// Cuts the connection, as a pulled cord does.
  func drop() { wire.drop() }

  /// - Returns: false when the host is to be hung up on.
  private func take(_ packet: ADBDPacket) -> Bool {
    switch packet.command {
    case .cnxn: return greet(packet)
    case .auth: return authenticate(packet)
    case .open: if isOnline { open(packet) }
    case .wrte:
      guard let stream = stream(packet.second) else {
        send(ADBDPacket(command: .clse, first: 0, second: packet.first))
        break
      }
      stream.arrived(packet.payload)
    case .okay: stream(packet.second)?.acknowledged()
    case .clse: stream(packet.second)?.end()
    case .stls: return false
    }
    return true
  }

  private var isOnline: Bool { state.withLock { $0.isOnline } }
  private func stream(_ id: UInt32) -> ADBDStream? { state.withLock { $0.streams[id] } }

  // MARK: Greeting

  private func greet(_ packet: ADBDPacket) -> Bool {
    // On USB nothing else tells that there is another host.
    let earlier = state.withLock { state in
      defer { state.streams = [:] }
      return Array(state.streams.values)
    }
    for stream in earlier { stream.abandon() }
    state.withLock { state in
      state.isOnline = false
      state.hostVersion = packet.first
      state.maximumData = min(Int(packet.second), shared.settings.maximumData)
    }
    guard shared.settings.isSecure else { return goOnline() }
    return askForKey()
  }

  private func askForKey() -> Bool {
    var generator = SystemRandomNumberGenerator()
    let token = (0..<20).map { _ in UInt8.random(in: 0...255, using: &generator) }
    state.withLock { $0.token = token }
    return send(ADBDPacket(command: .auth, first: 1, second: 0, payload: token))
  }

  private func goOnline() -> Bool {
    state.withLock { $0.isOnline = true }
    let settings = shared.settings
    let banner =
      "device::ro.product.name=simulated;ro.product.model=Simulated_Board;"
      + "ro.product.device=\(settings.serial);features=\(settings.features.joined(separator: ","))"
    return send(
      ADBDPacket(
        command: .cnxn, first: settings.version, second: UInt32(settings.maximumData),
        payload: Array(banner.utf8)))
  }

  private func authenticate(_ packet: ADBDPacket) -> Bool {
    switch packet.first {
    case 2:
      let (token, keys) = (state.withLock { $0.token }, shared.state.withLock { $0.keys })
      if keys.contains(where: { $0.verifies(packet.payload, token) }) { return goOnline() }
      return askForKey()
    case 3:
      guard let key = ADBDKey(text: packet.payload) else { return false }
      // A person may take a while; here it is a flag that a test sets.
      let isAccepted = shared.state.withLock { state in
        if state.acceptsKeys { state.keys.append(key) }
        return state.acceptsKeys
      }
      return isAccepted ? goOnline() : true
    default: return false
    }
  }

  // MARK: Services

  private func open(_ packet: ADBDPacket) {
    let name = String(decoding: packet.payload.prefix { $0 != 0 }, as: UTF8.self)
    shared.state.withLock { $0.services.append(name) }
    let fault = shared.fault(of: name)
    if case .mute = fault { return }
    guard fault != .refuse, let service = ADBDService(name, shared) else {
      send(ADBDPacket(command: .clse, first: 0, second: packet.first))
      return
    }
    let stream = state.withLock { state in
      let stream = ADBDStream(self, id: state.nextID, hostID: packet.first, fault: fault)
      state.streams[state.nextID] = stream
      state.nextID += 1
      return stream
    }
    send(ADBDPacket(command: .okay, first: stream.id, second: packet.first))
    stream.acknowledged()
    let thread = try? NamedThread("adbd-service") {
      service.run(stream)
      stream.close()
    }
    guard let thread else { return stream.close() }
    state.withLock { $0.threads.append(thread) }
  }

  func forget(_ stream: ADBDStream) { state.withLock { $0.streams[stream.id] = nil } }

  // MARK: Bytes

  /// - Parameter stream: whose packet it is; one that was abandoned sends no more.
  /// - Returns: false when the host is gone.
  @discardableResult
  func send(
    _ packet: ADBDPacket, of stream: ADBDStream? = nil, damagesMagic: Bool = false,
    damagesData: Bool = false
  ) -> Bool {
    let checks = packet.command == .cnxn || packet.command == .auth || !skipsChecks
    var bytes = packet.bytes(checks: checks)
    if damagesMagic { bytes[20] ^= 0x40 }
    if damagesData, bytes.count > 24 { bytes[24 + (bytes.count - 24) / 2] ^= 0x10 }
    return writing.withLock { _ in
      if let stream, stream.isAbandoned { return false }
      return wire.write(bytes)
    }
  }
}
