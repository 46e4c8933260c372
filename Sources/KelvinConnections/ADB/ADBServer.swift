internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// The adb server of a host, spoken to by its own socket ("smart socket", AOSP OVERVIEW.TXT and
/// SERVICES.TXT).
///
/// A server of any version is used as it is, and none is ever ended: others may use it. Where none
/// runs on this machine, one is started, by the adb tool, and left running as that tool leaves it.
package struct ADBServer: Sendable, Hashable, CustomStringConvertible {
  package let host: String
  package let port: UInt16
  /// Whether a server is started where none listens.
  package let startsServer: Bool

  /// The port that servers listen on by default.
  package static let defaultPort: UInt16 = 5037

  /// Names a server.
  package init(
    host: String = "127.0.0.1", port: UInt16 = ADBServer.defaultPort, startsServer: Bool = true
  ) {
    self.host = host
    self.port = port
    self.startsServer = startsServer
  }

  /// Reads `HOST:PORT` or `HOST`; an IPv6 address stands in brackets. Nil when it is neither.
  package init?(_ text: String, startsServer: Bool = true) {
    var name = text[...]
    var port: UInt16? = ADBServer.defaultPort
    if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
      name = text[..<colon]
      port = UInt16(text[text.index(after: colon)...])
    }
    if name.hasPrefix("["), name.hasSuffix("]") { name = name.dropFirst().dropLast() }
    guard let port, port > 0, !name.isEmpty else { return nil }
    self.init(host: String(name), port: port, startsServer: startsServer)
  }

  package var description: String {
    host.contains(":") ? "adb server [\(host)]:\(port)" : "adb server \(host):\(port)"
  }

  // MARK: Requests

  /// Opens a stream for one request.
  ///
  /// - Returns: the stream, after the server's OKAY.
  func open(_ service: String, until deadline: Deadline) throws(ConnectionFailure) -> ADBStream {
    let stream = try connect(until: deadline)
    do {
      try request(service, on: stream, until: deadline)
    } catch {
      stream.close()
      throw error
    }
    return stream
  }

  /// Sends a request on an open stream, and waits for OKAY.
  func request(
    _ service: String, on stream: ADBStream, until deadline: Deadline
  ) throws(ConnectionFailure) {
    let bytes = Array(service.utf8)
    guard bytes.count <= 0xFFFF else {
      throw ConnectionFailure(
        .unsupported, "\(self): a request of \(bytes.count) bytes; 65535 are possible")
    }
    try stream.send(ADBText.encode(bytes), until: deadline)
    try acknowledge(service, on: stream, until: deadline)
  }

  /// Reads OKAY, or FAIL and its reason.
  func acknowledge(
    _ service: String, on stream: ADBStream, until deadline: Deadline
  ) throws(ConnectionFailure) {
    let answer = try stream.read(4, until: deadline)
    if answer == Array("OKAY".utf8) { return }
    guard answer == Array("FAIL".utf8) else {
      throw ConnectionFailure(
        .unsupported, "\(self): answered '\(ADBText.shown(answer))' to '\(service)'",
        hint: "does an adb server listen there, or something else?")
    }
    throw refusal(
      try text(stream, until: deadline), of: service, on: stream.name, until: deadline)
  }

  /// Reads a text with its length before it.
  func text(_ stream: ADBStream, until deadline: Deadline) throws(ConnectionFailure) -> String {
    let digits = try stream.read(4, until: deadline)
    guard let count = ADBText.length(digits) else {
      throw ConnectionFailure(
        .unsupported, "\(self): '\(ADBText.shown(digits))' where a length should be")
    }
    return String(decoding: try stream.read(count, until: deadline), as: UTF8.self)
  }

  /// Sends a request whose answer is one text.
  func ask(_ service: String, until deadline: Deadline) throws(ConnectionFailure) -> String {
    let stream = try open(service, until: deadline)
    defer { stream.close() }
    return try text(stream, until: deadline)
  }

  /// Connects; starts a server where none listens on this machine.
  func connect(until deadline: Deadline) throws(ConnectionFailure) -> ADBStream {
    do {
      return try connectOnce(until: deadline)
    } catch {
      guard case .system(let code) = error, code.rawValue == ECONNREFUSED, startsServer, isHere
      else { throw failure(error, deadline) }
    }
    try ADBServerStart.run(port: port, until: deadline)
    do {
      return try connectOnce(until: deadline)
    } catch {
      throw failure(error, deadline)
    }
  }

  private func connectOnce(until deadline: Deadline) throws(SocketFailure) -> ADBStream {
    ADBStream(
      try TCPSocket.connect(host: host, port: port, until: deadline), name: description)
  }

  private func failure(_ failure: SocketFailure, _ deadline: Deadline) -> ConnectionFailure {
    if deadline.isInterrupted { return ConnectionFailure(.interrupted, "\(self): stopped") }
    return ConnectionFailure(failure, name: "\(self)")
  }

  private var isHere: Bool { ["127.0.0.1", "::1", "localhost"].contains(host) }
}

extension ConnectionFailure {
  /// Why a socket could not be connected.
  init(_ failure: SocketFailure, name: String) {
    let obstacle: Obstacle =
      switch failure {
      case .unknownHost, .noLookup: .unknownHost
      case .noAnswer: .noAnswer
      case .system(let error): error.rawValue == ECONNREFUSED ? .refused : .noAnswer
      }
    self.init(.unreachable(obstacle), "\(name): \(failure)", hint: failure.hint)
  }
}
