internal import Glibc
internal import KelvinConnections
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// Asks plugs and PDUs of the local network: plain HTTP over a socket, one request for each
/// connection, redirects never followed; HTTPS through the program curl.
///
/// Blocks the calling thread until the deadline at most.
struct HTTPClient: Sendable {
  /// For HTTPS: the certificate that the device, or its authority, must have; nil: the host's own.
  var authority: String?

  /// Sends a request and gives the answer, whatever its status.
  func send(
    _ request: HTTPRequest, until deadline: Deadline
  ) async throws(PowerFailure) -> HTTPResponse {
    request.url.isSecure
      ? try await sendByCurl(request, deadline) : try sendBySocket(request, deadline)
  }

  /// Sends a request; an answer that is not 2xx is a failure.
  func get(
    _ request: HTTPRequest, until deadline: Deadline
  ) async throws(PowerFailure) -> HTTPResponse {
    let response = try await send(request, until: deadline)
    guard !response.isSuccess else { return response }
    let hint =
      switch response.status {
      case 401, 403: "it wants a password: set 'password-from'"
      case 300..<400: "it redirects to \(response["location"] ?? "nowhere"); write that URL instead"
      default: ""
      }
    throw PowerFailure(
      response.status == 401 || response.status == 403 ? .configuration : .infrastructure,
      "\(request.shown): answered \(response.status)", evidence: response.excerpt, hint: hint)
  }

  private func sendBySocket(
    _ request: HTTPRequest, _ deadline: Deadline
  ) throws(PowerFailure) -> HTTPResponse {
    let socket = try ClientSocket(
      host: request.url.host, port: request.url.port, as: request.shown, until: deadline)
    defer { socket.shutDown() }
    try socket.write(request.bytes, until: deadline)
    var parser = HTTPParser()
    while true {
      let bytes = try socket.read(until: deadline)
      do {
        if let response = try parser.take(bytes, isEnd: bytes.isEmpty) { return response }
      } catch {
        throw PowerFailure(
          .infrastructure, "\(request.shown): \(error.what)", evidence: parser.excerpt,
          hint: bytes.isEmpty ? "" : "is something else listening on this address?")
      }
    }
  }

  /// Everything goes to curl by its configuration on standard input: arguments can be seen by all.
  private func sendByCurl(
    _ request: HTTPRequest, _ deadline: Deadline
  ) async throws(PowerFailure) -> HTTPResponse {
    let seconds = deadline.remainingNanoseconds.map { Double($0) / 1e9 } ?? 600
    var lines = [
      "url = \(HTTPClient.quote("https://" + request.url.authority + request.url.target))",
      "request = \(HTTPClient.quote(request.method))", "http1.1", "silent", "show-error", "raw",
      "include", "globoff", "noproxy = \"*\"", "max-time = \(max(0.1, seconds))",
      "max-filesize = \(HTTPResponse.bodyLimit)", "user-agent = \"kelvin\""
    ]
    if let authority { lines.append("cacert = \(HTTPClient.quote(authority))") }
    for (name, value) in request.headers {
      lines.append("header = \(HTTPClient.quote("\(name): \(value)"))")
    }
    if !request.body.isEmpty {
      lines.append("data-raw = \(HTTPClient.quote(String(decoding: request.body, as: UTF8.self)))")
    }
    let result: CommandResult
    do {
      result = try await LocalConnection().execute(
        Command(
          ["curl", "--disable", "--config", "-"],
          standardInput: .bytes(Array(lines.joined(separator: "\n").utf8)),
          standardOutput: .capture(limit: HTTPResponse.headLimit + 2 * HTTPResponse.bodyLimit),
          standardError: .capture(limit: 4096)), until: deadline)
    } catch {
      if case .timedOut = error.code { throw PowerFailure(waitingFor: request.shown, deadline) }
      throw PowerFailure(
        error.kind, "\(request.shown): \(error.message)",
        hint: error.code == .notFound
          ? "https needs the program curl: apt install curl" : error.hint)
    }
    guard result.isSuccess else {
      if result.termination == .exited(28) {
        throw PowerFailure(waitingFor: request.shown, deadline)
      }
      throw PowerFailure(
        .infrastructure, "\(request.shown): curl failed",
        evidence: Excerpt.of(result.standardError.bytes))
    }
    var parser = HTTPParser()
    do throws(HTTPParser.Mistake) {
      if let response = try parser.take(result.standardOutput.bytes, isEnd: true) {
        return response
      }
      throw HTTPParser.Mistake(what: "the answer ends early")
    } catch {
      throw PowerFailure(
        .infrastructure, "\(request.shown): \(error.what)", evidence: parser.excerpt)
    }
  }

  /// A value of a curl configuration file: in quotes, backslash and quote escaped (curl(1), --config).
  private static func quote(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
