internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// Fastboot on UDP: one packet at a time, which is sent again until its answer has come.
final class FastbootUDP: FastbootTransport {
  let name: String
  let chunk = 1 << 16
  private var descriptor: Int32
  private var sequence: UInt16 = 0
  /// Bytes of one packet, agreed on.
  private var packetSize = FastbootUDPPacket.smallest
  /// Data that came and were not asked for yet, and whether more of the message follows.
  private var received: [UInt8] = []
  private var isContinued = false
  /// For one packet; kept, since tens of thousands come.
  private var buffer = [UInt8](repeating: 0, count: 1 << 16)

  /// "If the host does not receive a response in 500ms it will re-transmit."
  private static let patience = 0.5
  /// A device that says nothing for so long is gone: it may be silent for a minute while it writes.
  private static let silence = 75.0

  /// Asks the device for its sequence number, and begins a session.
  ///
  /// - Throws: `notFound` when nobody answers there in time, `badReply`, `interrupted`.
  init(host: String, port: UInt16, until deadline: Deadline) throws(ConnectionFailure) {
    name = "udp \(HostAndPort(host: host, port: port))"
    do throws(SocketFailure) {
      descriptor = try UDPSocket.connect(host: host, port: port, until: deadline)
    } catch {
      throw ConnectionFailure(absent: name, error, deadline)
    }
    do throws(ConnectionFailure) {
      let query = try exchange(FastbootUDPPacket(.query, sequence: 0), "looking for it", deadline)
      guard let next = query.number(at: 0) else { throw bad("an answer without a number") }
      sequence = next
      try begin(deadline)
    } catch {
      close()
      throw error
    }
  }

  private func begin(_ deadline: Deadline) throws(ConnectionFailure) {
    let largest = UInt16(FastbootUDPPacket.largest)
    let answer = try exchange(
      FastbootUDPPacket(
        .initialize, sequence: sequence,
        data: [0, 1, UInt8(largest >> 8), UInt8(largest & 0xff)]), "greeting it", deadline)
    guard let version = answer.number(at: 0), version >= 1, let size = answer.number(at: 2) else {
      throw bad("a greeting without a version")
    }
    packetSize = min(Int(size), FastbootUDPPacket.largest)
    guard packetSize >= FastbootUDPPacket.smallest else {
      throw bad("packets of \(size) bytes, \(FastbootUDPPacket.smallest) are the least")
    }
    sequence &+= 1
  }

  deinit { close() }

  func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  func send(
    _ bytes: ArraySlice<UInt8>, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    var rest = bytes
    repeat {
      let data = rest.prefix(packetSize - FastbootUDPPacket.headerSize)
      rest = rest.dropFirst(data.count)
      let answer = try next(isContinued: !rest.isEmpty, Array(data), "sending to it", deadline)
      guard answer.data.isEmpty else { throw bad("data where an acknowledgment belongs") }
    } while !rest.isEmpty
  }

  func receiveReply(until deadline: Deadline) async throws(ConnectionFailure) -> [UInt8] {
    guard received.isEmpty, !isContinued else { throw bad("more data than was announced") }
    var message: [UInt8] = []
    while true {
      let answer = try next([], "waiting for its reply", deadline)
      message += answer.data
      guard message.count <= FastbootReply.limit else {
        throw bad("a reply of \(message.count) bytes")
      }
      if !answer.isContinued { return message }
    }
  }

  func receiveData(
    limit: Int, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [UInt8] {
    while received.isEmpty {
      let answer = try next([], "waiting for data", deadline)
      received = answer.data
      isContinued = answer.isContinued
    }
    let bytes = Array(received.prefix(limit))
    received.removeFirst(bytes.count)
    return bytes
  }

  // MARK: packets

  private func next(
    isContinued: Bool = false, _ data: [UInt8], _ what: String, _ deadline: Deadline
  ) throws(ConnectionFailure) -> FastbootUDPPacket {
    let answer = try exchange(
      FastbootUDPPacket(.fastboot, isContinued: isContinued, sequence: sequence, data: data),
      what, deadline)
    sequence &+= 1
    return answer
  }

  /// Sends a packet until its answer comes; answers to others, which come late or twice, are not
  /// looked at.
  private func exchange(
    _ packet: FastbootUDPPacket, _ what: String, _ deadline: Deadline
  ) throws(ConnectionFailure) -> FastbootUDPPacket {
    let bytes = packet.bytes
    let isSilent = deadline.limited(toSeconds: FastbootUDP.silence)
    while true {
      try transmit(bytes, packet.id, what)
      let again = isSilent.limited(toSeconds: FastbootUDP.patience)
      // A flood of old answers must not outlast the time.
      while !again.hasPassed, again.wait(for: descriptor) == .ready {
        guard let answer = try receive(packet.id, what) else { continue }
        guard answer.sequence == packet.sequence || packet.id == .query else { continue }
        if answer.id == .error {
          throw bad("an error: '\(FastbootText.printable(answer.data))'")
        }
        if answer.id == packet.id { return answer }
      }
      guard !isSilent.hasPassed, !isSilent.isInterrupted else {
        if deadline.hasPassed || deadline.isInterrupted { throw .noAnswer(name, what, deadline) }
        throw lost("it has been silent for \(Int(FastbootUDP.silence)) s while \(what)")
      }
    }
  }

  private func transmit(
    _ bytes: [UInt8], _ id: FastbootUDPPacket.ID, _ what: String
  ) throws(ConnectionFailure) {
    let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, 0) }
    guard count < 0 else { return }
    try settle(errno, id, what)
  }

  private func receive(
    _ id: FastbootUDPPacket.ID, _ what: String
  ) throws(ConnectionFailure) -> FastbootUDPPacket? {
    let count = recv(descriptor, &buffer, buffer.count, 0)
    guard count < 0 else { return FastbootUDPPacket(Array(buffer[..<count])) }
    try settle(errno, id, what)
    return nil
  }

  /// A full buffer is a lost packet; a port that is closed is a device that is gone, or not there yet.
  private func settle(
    _ error: Int32, _ id: FastbootUDPPacket.ID, _ what: String
  ) throws(ConnectionFailure) {
    switch error {
    case EAGAIN, EINTR, ENOBUFS: return
    case ECONNREFUSED where id == .query:
      throw ConnectionFailure(
        .notFound, "fastboot \(name): \(KelvinModel.Errno(error))",
        hint: "nothing listens there: is the address right, and the board in its boot loader?")
    default: throw lost("\(KelvinModel.Errno(error)) while \(what)")
    }
  }

  private func lost(_ how: String) -> ConnectionFailure {
    ConnectionFailure(
      .connectionLost, "fastboot \(name): \(how)",
      hint: "whether the command was carried out is not known")
  }

  private func bad(_ what: String) -> ConnectionFailure {
    ConnectionFailure(.badReply, "fastboot \(name): \(what)")
  }
}
