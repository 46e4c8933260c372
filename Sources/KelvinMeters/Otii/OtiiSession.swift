internal import KelvinDevices
internal import KelvinModel
internal import Synchronization

/// A conversation with Otii's server: one question at a time. Used by one thread at a time; closes with its last
/// reference. After a failure it is of no more use.
final class OtiiSession: Sendable {
  /// What messages call it: `otii: 127.0.0.1:1905`.
  let name: String
  /// Of the server, as it says itself.
  let version: String
  let protocolVersion: String
  private let socket: MeterSocket
  private let count = Mutex(0)

  /// Of a line: forty thousand numbers take less than a megabyte.
  private static let lineLimit = 8 << 20
  private static let evidence = 200

  /// Connects, and hears what the server says of itself.
  ///
  /// - Throws: `busy` when it refuses; `unsupported` for what is older than Otii 3, which knew no login;
  ///   `malfunction` for what is no such server.
  init(host: String, port: UInt16, of meter: String, until deadline: Deadline) throws(MeterFailure)
  {
    let name = "\(meter): \(host):\(port)"
    self.name = name
    socket = try MeterSocket(host: host, port: port, name: name, until: deadline)
    let line = try Self.line(socket, name, until: deadline)
    switch OtiiMessage(line) {
    case .information(_, let data)? where data["otii_version"] != nil:
      version = data["otii_version"]?.text ?? ""
      protocolVersion = data["protocol_version"]?.text ?? ""
    case .error(_, let code, let data)?:
      throw MeterFailure(
        .busy, "\(name): it refuses the connection: \(code)",
        evidence: data["message"]?.text ?? "",
        hint: "does another program speak to it? it serves one at a time")
    default:
      throw MeterFailure(
        .malfunction, "\(name): this is no server of Otii's",
        evidence: Excerpt.of(line.prefix(Self.evidence)),
        hint: "start it in Otii's settings, or by 'otii_server'")
    }
    guard let major = version.split(separator: ".").first.flatMap({ Int($0) }), major >= 3 else {
      throw MeterFailure(
        .unsupported, "\(name): Otii \(version) is too old", hint: "Otii 3 and later log in")
    }
  }

  private static func line(
    _ socket: MeterSocket, _ name: String, until deadline: Deadline
  ) throws(MeterFailure) -> [UInt8] {
    guard let line = try socket.line(limit: lineLimit, until: deadline) else {
      throw MeterFailure(.malfunction, "\(name): a line of more than \(lineLimit) bytes")
    }
    return line.last == 13 ? line.dropLast() : line
  }

  /// Asks, and takes the answer's data.
  ///
  /// - Throws: what the server answers as an error, by ``OtiiRefusal``.
  @discardableResult
  func ask(
    _ command: String, _ data: [String: Value] = [:], until deadline: Deadline
  ) throws(MeterFailure) -> [String: Value] {
    try answer(command, data, until: deadline).data
  }

  /// Asks, and takes the answer's data, with the numbers of its `values` apart.
  func answer(
    _ command: String, _ data: [String: Value], until deadline: Deadline
  ) throws(MeterFailure) -> (data: [String: Value], numbers: [Double]?) {
    let id = count.withLock { count -> String in
      count += 1
      return "\(count)"
    }
    try socket.send(OtiiMessage.request(command, data, id: id), until: deadline)
    while true {
      let line = try Self.line(socket, name, until: deadline)
      let taken = OtiiNumbers.extract(line)
      switch OtiiMessage(taken?.rest ?? line) {
      case .response(let its, let data)? where its == id: return (data, taken?.numbers)
      case .error(let its, let code, let data)? where its == id || its.isEmpty:
        throw OtiiRefusal(code, data).failure(of: command, name)
      case .information?, .progress?: continue
      case .response?, .error?:
        throw MeterFailure(
          .malfunction, "\(name): its answer belongs to another question than '\(command)'",
          evidence: Excerpt.of(line.prefix(Self.evidence)))
      case nil:
        throw MeterFailure(
          .malfunction, "\(name): its answer to '\(command)' is none",
          evidence: Excerpt.of(line.prefix(Self.evidence)))
      }
    }
  }

  /// An answer that lacks what it should have.
  func lacks(_ what: String, _ command: String, _ data: [String: Value]) -> MeterFailure {
    MeterFailure(
      .malfunction, "\(name): its answer to '\(command)' has no \(what)",
      evidence: Excerpt.of(Array(Value.map(data).json.utf8)))
  }
}

/// What the server answers instead of doing something.
///
/// Source: the codes of qoitech/otii-tcp-client-python, otii_exception.py.
struct OtiiRefusal: Sendable {
  let code: String
  let data: [String: Value]

  init(_ code: String, _ data: [String: Value]) {
    self.code = code
    self.data = data
  }

  func failure(of command: String, _ name: String) -> MeterFailure {
    let kind: MeterFailure.Code =
      switch code {
      case "Device not connected": .gone
      case "Could not login", "Not logged in", "No license": .permission
      case "License could not be reserved", "Connection denied": .busy
      case "Invalid command", "Operation not supported", "Command not valid for device type":
        .unsupported
      case "Invalid key value": .invalid
      case "Command timeout": .timedOut
      default: .malfunction
      }
    // Some refusals repeat what they were told, and that has a password.
    let isSilent = data.isEmpty || command == "otii_login"
    return MeterFailure(
      kind, "\(name): '\(command)': \(code)",
      evidence: isSilent ? "" : Excerpt.of(Array(Value.map(data).json.utf8)),
      hint: kind == .gone ? "look at its cable; what came before is kept" : "")
  }
}
