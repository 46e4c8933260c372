internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// Fastboot on TCP.
final class FastbootTCP: FastbootTransport {
  let name: String
  let chunk = 1 << 18
  private var descriptor: Int32
  /// Bytes of the message that has begun to come.
  private var left: UInt64 = 0

  /// Connects, and exchanges greetings.
  ///
  /// - Throws: `notFound` when nobody listens there, `connectionLost`, `badReply`, `timedOut`.
  init(host: String, port: UInt16, until deadline: Deadline) throws(ConnectionFailure) {
    name = "tcp \(HostAndPort(host: host, port: port))"
    do throws(SocketFailure) {
      descriptor = try TCPSocket.connect(host: host, port: port, until: deadline)
    } catch {
      throw ConnectionFailure(absent: name, error, deadline)
    }
    do throws(ConnectionFailure) {
      try write(FastbootTCPFraming.greeting[...], deadline)
      let greeting = try readAll(FastbootTCPFraming.greeting.count, "greeting it", deadline)
      guard FastbootTCPFraming.version(greeting) != nil else {
        throw ConnectionFailure(
          .badReply, "fastboot \(name): something else listens there",
          hint: "check host and port; fastboot's own is 5554")
      }
    } catch {
      close()
      throw error
    }
  }

  deinit { close() }

  func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  func send(
    _ bytes: ArraySlice<UInt8>, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try write(FastbootTCPFraming.header(bytes.count)[...], deadline)
    try write(bytes, deadline)
  }

  func receiveReply(until deadline: Deadline) async throws(ConnectionFailure) -> [UInt8] {
    // What was left of the data phase would be taken for a reply's length.
    guard left == 0 else {
      throw ConnectionFailure(.badReply, "fastboot \(name): more data came than was announced")
    }
    let length = try readHeader("waiting for its reply", deadline)
    guard length <= FastbootReply.limit else {
      throw ConnectionFailure(.badReply, "fastboot \(name): a reply of \(length) bytes")
    }
    return try readAll(Int(length), "receiving its reply", deadline)
  }

  func receiveData(
    limit: Int, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [UInt8] {
    // Empty messages are not the end of anything.
    while left == 0 { left = try readHeader("waiting for data", deadline) }
    let bytes = try readSome(Int(min(UInt64(limit), left)), "receiving data", deadline)
    left -= UInt64(bytes.count)
    return bytes
  }

  private func readHeader(
    _ what: String, _ deadline: Deadline
  ) throws(ConnectionFailure) -> UInt64 {
    FastbootTCPFraming.length(try readAll(FastbootTCPFraming.headerSize, what, deadline))
  }

  // MARK: bytes

  private func readAll(
    _ count: Int, _ what: String, _ deadline: Deadline
  ) throws(ConnectionFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count { bytes += try readSome(count - bytes.count, what, deadline) }
    return bytes
  }

  private func readSome(
    _ limit: Int, _ what: String, _ deadline: Deadline
  ) throws(ConnectionFailure) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: limit)
    while true {
      let count = recv(descriptor, &buffer, limit, 0)
      if count > 0 {
        buffer.removeLast(limit - count)
        return buffer
      }
      if count == 0 { throw lost("it closed the connection while \(what)") }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        guard deadline.wait(for: descriptor) == .ready else {
          throw .noAnswer(name, what, deadline)
        }
      default: throw lost("\(Errno.current) while \(what)")
      }
    }
  }

  private func write(
    _ bytes: ArraySlice<UInt8>, _ deadline: Deadline
  ) throws(ConnectionFailure) {
    var rest = bytes
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        rest = rest.dropFirst(count)
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        guard deadline.wait(for: descriptor, events: Int16(POLLOUT)) == .ready else {
          throw .noAnswer(name, "sending to it", deadline)
        }
      default: throw lost("\(Errno.current) while sending to it")
      }
    }
  }

  private func lost(_ how: String) -> ConnectionFailure {
    ConnectionFailure(
      .connectionLost, "fastboot \(name): \(how)",
      hint: "whether the command was carried out is not known")
  }
}

extension ConnectionFailure {
  /// A board that cannot be reached at all.
  init(absent name: String, _ failure: SocketFailure, _ deadline: Deadline) {
    let code: Code =
      switch failure {
      case .unknownHost: .notFound
      case .noLookup, .noAnswer: deadline.isInterrupted ? .interrupted : .timedOut
      case .system(let error):
        error.rawValue == ECONNREFUSED || error.rawValue == EHOSTUNREACH
          ? .notFound : .system(error)
      }
    self.init(code, "fastboot \(name): \(failure)", hint: failure.hint)
  }
}
