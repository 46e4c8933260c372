internal import KelvinConnections
internal import KelvinDevices
internal import KelvinModel

/// A meter with an HTTP interface: one connection for each question, plain HTTP, redirects never followed.
/// Used by one thread at a time; blocks it.
struct MeterHTTP: Sendable {
  /// How it takes a password.
  enum Login: Sendable, Hashable {
    /// In a header, or by a challenge where it asks for one.
    case header
    /// As `user` and `password` of the query, as Tasmota does.
    case query
  }

  let host: String
  let port: UInt16
  let user: String
  let password: PasswordSource?
  /// What messages call it: `plug: 10.0.0.5:80`.
  let name: String
  private static let shown = 200

  /// - Parameter meter: its name, for messages.
  init(host: String, port: UInt16, user: String, password: PasswordSource?, of meter: String) {
    self.host = host
    self.port = port
    self.user = user
    self.password = password
    name = "\(meter): \(host):\(port)"
  }

  static func options(port: Int64) -> [OptionDeclaration] {
    [
      .init("host", .text, required: true, "Its name or address."),
      .init("port", .integer, default: .integer(port), range: 1...65_535, "Its TCP port.")
    ]
  }

  static let credentials: [OptionDeclaration] = [
    .init("user", .text, default: "admin", isDetail: true, "Whose password it is."),
    .init(
      "password-from", .text, isDetail: true,
      "Where its password is: 'env:NAME', or 'file:PATH' of a file that only you can read.")
  ]

  /// Reads what the options say.
  ///
  /// - Throws: `invalid`.
  init(_ values: [String: Value], port usual: UInt16, of meter: String) throws(MeterFailure) {
    guard let host = values["host"]?.text, !host.isEmpty, !host.contains("/"),
      let port = UInt16(exactly: values["port"]?.integer ?? Int64(usual)), port > 0
    else {
      throw MeterFailure(
        .invalid, "\(meter): 'host' must be a name or an address, and 'port' 1 to 65535")
    }
    let password: PasswordSource?
    do throws(PlainFailure) {
      password = try values["password-from"]?.text.map { text throws(PlainFailure) in
        try PasswordSource(text)
      }
    } catch { throw MeterFailure(.invalid, "\(meter): \(error.message)", hint: error.hint) }
    self.init(
      host: host, port: port, user: values["user"]?.text ?? "admin", password: password, of: meter)
  }

  /// GETs a path that answers a JSON object.
  ///
  /// - Parameter target: path and query, already encoded.
  func object(
    _ target: String, _ login: Login = .header, until deadline: Deadline
  ) throws(MeterFailure) -> [String: Value] {
    var target = target
    if login == .query, password != nil {
      target +=
        "&user=\(HTTPURL.encode(user))&password=\(HTTPURL.encode(try secret()))"
    }
    var response = try send(target, [], until: deadline)
    if response.status == 401, login == .header, password != nil {
      let header = try authorization(response["www-authenticate"] ?? "", target)
      response = try send(target, [("Authorization", header)], until: deadline)
    }
    let path = target.prefix { $0 != "?" }
    guard response.isSuccess else {
      let isForbidden = response.status == 401 || response.status == 403
      throw MeterFailure(
        isForbidden ? .permission : .malfunction, "\(name): \(path) answered \(response.status)",
        evidence: response.excerpt,
        hint: isForbidden
          ? "it wants a password: set 'user' and 'password-from'"
          : "is it what the bench file says?")
    }
    guard case .map(let map)? = Value(json: response.text) else {
      throw MeterFailure(
        .malfunction, "\(name): \(path) answers no JSON object", evidence: response.excerpt,
        hint: "is it what the bench file says?")
    }
    return map
  }

  private func secret() throws(MeterFailure) -> String {
    do throws(PlainFailure) {
      return String(decoding: try password?.read() ?? [], as: UTF8.self)
    } catch { throw MeterFailure(.permission, "\(name): \(error.message)", hint: error.hint) }
  }

  private func authorization(_ challenge: String, _ target: String) throws(MeterFailure) -> String {
    guard HTTPCredentials.parse(challenge).scheme == "digest" else {
      return HTTPCredentials.basic(user, try secret())
    }
    let password = try secret()
    do throws(PlainFailure) {
      return try HTTPCredentials.digest(
        challenge, user: user, password: password, method: "GET", target: target)
    } catch { throw MeterFailure(.unsupported, "\(name): \(error.message)") }
  }

  private func send(
    _ target: String, _ headers: [(name: String, value: String)], until deadline: Deadline
  ) throws(MeterFailure) -> HTTPResponse {
    let bracketed = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
    var request: HTTPRequest
    do throws(PlainFailure) {
      request = HTTPRequest(url: try HTTPURL("http://\(bracketed):\(port)\(target)"))
    } catch { throw MeterFailure(.invalid, "\(name): \(error.message)", hint: error.hint) }
    request.headers = headers
    let socket = try MeterSocket(host: host, port: port, name: name, until: deadline)
    defer { socket.shutDown() }
    try socket.send(request.bytes, until: deadline)
    var parser = HTTPParser()
    while true {
      var bytes: [UInt8] = []
      do throws(MeterFailure) {
        bytes = try socket.some(limit: 65_536, until: deadline)
      } catch {
        // Its end may be what ends the answer.
        guard error.code == .gone else { throw error }
      }
      do throws(HTTPParser.Mistake) {
        if let response = try parser.take(bytes, isEnd: bytes.isEmpty) { return response }
      } catch {
        throw MeterFailure(
          bytes.isEmpty ? .gone : .malfunction, "\(name): \(error.what)",
          evidence: parser.excerpt,
          hint: bytes.isEmpty ? "" : "is something else listening on this address?")
      }
    }
  }
}
