internal import KelvinConnections
internal import KelvinModel

/// A plug or PDU with an HTTP interface: its address, its credentials, its JSON.
struct HTTPDevice: Sendable {
  /// `http://10.0.0.5`, without a slash at the end.
  let base: String
  let user: String
  let password: Secret?
  private let client = HTTPClient()

  static func options(port: Int) -> [OptionDeclaration] {
    [
      OptionDeclaration("host", .text, required: true, "Its name or address."),
      OptionDeclaration(
        "port", .integer, default: .integer(Int64(port)), range: 1...65_535, "Its TCP port.")
    ]
  }
  static let credentials = [
    OptionDeclaration("user", .text, default: "admin", isDetail: true, "Whose password it is."),
    Secret.option("password-from", "the password")
  ]

  init(_ options: DriverOptions, port: Int) throws(PowerFailure) {
    let host = try options.required("host")
    guard !host.contains("/") else {
      throw PowerFailure(
        .configuration, "host '\(host)': a name or an address is wanted, not a URL")
    }
    let bracketed = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
    base = "http://\(bracketed):\(options.integer("port") ?? port)"
    user = options.text("user") ?? "admin"
    password = options.text("password-from").map(Secret.init)
    _ = try HTTPURL.of(base)
  }

  /// GETs a path; a 401 with a challenge is answered when there is a password.
  func get(
    _ target: String, sendsBasic: Bool = false, until deadline: Deadline
  ) async throws(PowerFailure) -> HTTPResponse {
    var request = HTTPRequest(url: try .of(base + target))
    if sendsBasic, let password {
      request.headers = [("Authorization", HTTPCredentials.basic(user, try password.read()))]
    }
    guard !sendsBasic, let password else { return try await client.get(request, until: deadline) }
    let first = try await client.send(request, until: deadline)
    guard first.status == 401, let challenge = first["www-authenticate"] else {
      return first.isSuccess ? first : try await client.get(request, until: deadline)
    }
    request.headers = [
      (
        "Authorization",
        try digest(challenge, try password.read(), request)
      )
    ]
    return try await client.get(request, until: deadline)
  }

  private func digest(
    _ challenge: String, _ password: String, _ request: HTTPRequest
  ) throws(PowerFailure) -> String {
    do throws(PlainFailure) {
      return try HTTPCredentials.digest(
        challenge, user: user, password: password, method: request.method,
        target: request.url.target)
    } catch { throw PowerFailure(error) }
  }

  /// GETs a path that answers a JSON object.
  func object(
    _ target: String, sendsBasic: Bool = false, until deadline: Deadline
  ) async throws(PowerFailure) -> [String: Value] {
    let response = try await get(target, sendsBasic: sendsBasic, until: deadline)
    guard case .map(let map)? = Value(json: response.text) else {
      throw PowerFailure(
        .infrastructure, "\(base + target.prefix { $0 != "?" }): its answer is no JSON object",
        evidence: response.excerpt, hint: "is it the device that the bench file says?")
    }
    return map
  }
}

extension HTTPURL {
  /// Reads a URL of a switch.
  static func of(_ text: String) throws(PowerFailure) -> HTTPURL {
    do throws(PlainFailure) {
      return try HTTPURL(text)
    } catch { throw PowerFailure(error) }
  }
}
