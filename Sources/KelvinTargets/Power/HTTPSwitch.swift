internal import KelvinConnections
public import KelvinModel

/// Any plug or PDU with an HTTP interface, by a template of its requests.
public struct HTTPSwitch: PowerSwitch {
  private static let request = [
    OptionDeclaration("url", .text, required: true, "http:// or https://, percent-encoded."),
    OptionDeclaration(
      "method", .choice(["GET", "POST", "PUT", "PATCH"]), default: "GET", "The request's method."),
    OptionDeclaration("body", .text, "What is sent with it."),
    OptionDeclaration("content-type", .text, default: "application/json", "What the body is.")
  ]

  public static let declaration = Declaration(
    .power, "http", summary: "Any plug or PDU with an HTTP interface, by its requests.",
    description: """
      'on' and 'off' are requests that must be answered with a status of 2xx. 'state' is one whose \
      answer tells the state: with 'json', the value at that path (keys and list positions with dots \
      between, such as relays.0.ison) must be among 'on' or 'off', by default true, 1, on and false, 0, \
      off; without it, the answer's text must hold one of the texts of 'on' or of 'off', not of both. \
      After switching, the state is asked when there is a 'state'.

      Redirects are not followed. https goes through the program curl. A secret never stands in the \
      bench file: 'password-from' for basic authentication, 'headers-from' for tokens.

      power: {http: {on: 'http://10.0.0.9/on', off: 'http://10.0.0.9/off',
        state: {url: 'http://10.0.0.9/state', json: relay.output}}}
      """,
    options: [
      OptionDeclaration(
        "on", .structure(request, shorthand: "url"), required: true, "Switches on."),
      OptionDeclaration(
        "off", .structure(request, shorthand: "url"), required: true, "Switches off."),
      OptionDeclaration(
        "state",
        .structure(
          request + [
            OptionDeclaration("json", .text, "Where the state stands in a JSON answer."),
            OptionDeclaration("on", .list(.text), "What means on."),
            OptionDeclaration("off", .list(.text), "What means off.")
          ], shorthand: "url"), "Tells the state; else it is what was last done."),
      OptionDeclaration(
        "headers", .map(.text), isDetail: true, "Sent with each request; no secrets."),
      OptionDeclaration(
        "headers-from", .map(.text), isDetail: true,
        "Headers whose values are secrets: 'env:NAME', or a file that only you can read."),
      OptionDeclaration(
        "user", .text, default: "admin", isDetail: true, "For basic authentication."),
      Secret.option("password-from", "the password for basic authentication"),
      OptionDeclaration(
        "certificate", .path, isDetail: true,
        "For https: the device's own certificate, or its authority's, as PEM; else this host's "
          + "authorities count."),
      OptionDeclaration(
        "measured", .boolean, default: false, isDetail: true,
        "The state is that of a contact, voltage or current behind the switch.")
    ], verified: "emulated device, and Python's http.server")

  private let on: HTTPRequest
  private let off: HTTPRequest
  private let state: (request: HTTPRequest, answer: StateAnswer)?
  private let user: String
  private let password: Secret?
  private let secretHeaders: [(name: String, secret: Secret)]
  private let source: PowerReading.Source
  private let memory = CommandedState()
  private let client: HTTPClient

  public init(_ choice: DriverChoice, host: PowerHost) throws(PowerFailure) {
    let options = DriverOptions(choice, Self.declaration)
    let headers = try Self.headers(options)
    on = try Self.request(options.values["on"], "on", headers)
    off = try Self.request(options.values["off"], "off", headers)
    if let map = options.map("state") {
      state = (
        try Self.request(.map(map), "state", headers), try StateAnswer(map)
      )
    } else {
      state = nil
    }
    client = HTTPClient(authority: options.text("certificate"))
    user = options.text("user") ?? "admin"
    password = options.text("password-from").map(Secret.init)
    secretHeaders = (options.map("headers-from") ?? [:]).sorted { $0.key < $1.key }.map {
      ($0.key, Secret(source: $0.value.display))
    }
    for (name, _) in secretHeaders where !Self.isToken(name) {
      throw PowerFailure(
        .configuration, "header \(LocatedValue.quoted(name)): no such name can be sent")
    }
    source = options.flag("measured") ? .measured : .commanded
    guard state != nil || source == .commanded else {
      throw PowerFailure(.configuration, "'measured' without a 'state' that measures")
    }
  }

  public func set(_ state: PowerState, until deadline: Deadline) async throws(PowerFailure) {
    _ = try await client.get(try complete(state == .on ? on : off), until: deadline)
    memory.value = state
    guard self.state != nil else { return }
    let seen = try await self.state(until: deadline)
    guard seen.state == state else {
      throw PowerFailure(
        .infrastructure,
        "\((state == .on ? on : off).shown): acknowledged, but the state is "
          + (seen.state?.rawValue ?? "not told"),
        hint: "does the device need longer, or is 'state' of another output?")
    }
  }

  public func state(until deadline: Deadline) async throws(PowerFailure) -> PowerReading {
    guard let state else { return PowerReading(memory.value, .commanded) }
    let response = try await client.get(try complete(state.request), until: deadline)
    guard let isOn = state.answer.isOn(response.text) else {
      throw PowerFailure(
        .infrastructure, "\(state.request.shown): its answer tells no state",
        evidence: response.excerpt, hint: "check 'json', 'on' and 'off' of 'state'")
    }
    return PowerReading(isOn ? .on : .off, source)
  }

  /// With the secrets, read now.
  private func complete(_ request: HTTPRequest) throws(PowerFailure) -> HTTPRequest {
    var request = request
    if let password {
      request.headers.append(
        ("Authorization", HTTPCredentials.basic(user, try password.read())))
    }
    for (name, secret) in secretHeaders { request.headers.append((name, try secret.read())) }
    return request
  }

  private static func request(
    _ value: Value?, _ name: String, _ headers: [(name: String, value: String)]
  ) throws(PowerFailure) -> HTTPRequest {
    guard let map = value?.map, let url = map["url"]?.text else {
      throw PowerFailure(.configuration, "'\(name)' has no 'url'")
    }
    var request: HTTPRequest
    do {
      request = HTTPRequest(url: try .of(url))
    } catch { throw error.of("'\(name)'") }
    request.method = map["method"]?.text ?? "GET"
    request.headers = headers
    if let body = map["body"]?.text {
      request.body = Array(body.utf8)
      let type = map["content-type"]?.text ?? "application/json"
      guard isValue(type) else {
        throw PowerFailure(.configuration, "'\(name)': 'content-type' holds a control character")
      }
      request.headers.append(("Content-Type", type))
    }
    return request
  }

  private static func headers(
    _ options: DriverOptions
  ) throws(PowerFailure) -> [(name: String, value: String)] {
    var headers: [(name: String, value: String)] = []
    for (name, value) in (options.map("headers") ?? [:]).sorted(by: { $0.key < $1.key }) {
      guard isToken(name), isValue(value.display) else {
        throw PowerFailure(.configuration, "header \(LocatedValue.quoted(name)): it cannot be sent")
      }
      guard !["authorization", "cookie", "x-api-key"].contains(name.lowercased()) else {
        throw PowerFailure(
          .configuration, "header '\(name)': a secret stands in the bench file",
          hint: "use 'headers-from: {\(name): env:NAME}'")
      }
      headers.append((name, value.display))
    }
    return headers
  }

  private static func isToken(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ":") }
  }
  private static func isValue(_ value: String) -> Bool {
    value.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }
  }
}
