/// Where a console is: what the owner opens, and opens again when it comes back.
package enum ConsoleAddress: Sendable, Hashable {
  /// A serial port of this host, by a path that stays the same, and its rate in bits a second.
  case serial(path: String, baud: UInt32)
  /// A unix socket that something listens on, such as QEMU's.
  case socket(path: String)
  /// A TCP port whose bytes are the console's.
  case tcp(host: String, port: UInt16)
  /// A TCP port that speaks telnet (RFC 854), binary where the other side agrees (RFC 856).
  case telnet(host: String, port: UInt16)
  /// A TCP port that serves a serial port by telnet's COM-PORT option (RFC 2217), which sets its rate
  /// too.
  case rfc2217(host: String, port: UInt16, baud: UInt32)
  /// A pseudo terminal by its slave's path: as serial, without rate or lines.
  case pty(path: String)
}

extension ConsoleAddress: CustomStringConvertible {
  /// `serial:/dev/ttyUSB0@115200`, `telnet:127.0.0.1:4000`; ``init(_:)`` reads it back.
  package var description: String {
    switch self {
    case .serial(let path, let baud): "serial:\(path)@\(baud)"
    case .socket(let path): "socket:\(path)"
    case .tcp(let host, let port): "tcp:\(ConsoleAddress.bracketed(host)):\(port)"
    case .telnet(let host, let port): "telnet:\(ConsoleAddress.bracketed(host)):\(port)"
    case .rfc2217(let host, let port, let baud):
      "rfc2217:\(ConsoleAddress.bracketed(host)):\(port)@\(baud)"
    case .pty(let path): "pty:\(path)"
    }
  }

  private static func bracketed(_ host: String) -> String {
    host.contains(":") ? "[\(host)]" : host
  }

  /// The rate of a serial line whose profile says nothing else.
  package static let defaultBaud: UInt32 = 115_200

  /// Reads `KIND:WHERE`: `serial:PATH[@BAUD]`, `socket:PATH`, `pty:PATH`, `tcp:HOST:PORT`,
  /// `telnet:HOST:PORT`, `rfc2217:HOST:PORT[@BAUD]`; a host with colons stands in brackets.
  package init(_ text: String) throws(OwnerFailure) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let rest = parts.count == 2 ? String(parts[1]) : ""
    switch parts.first ?? "" {
    case "serial":
      let (path, baud) = ConsoleAddress.whereAndBaud(rest)
      self = .serial(path: path, baud: baud)
    case "socket": self = .socket(path: rest)
    case "pty": self = .pty(path: rest)
    case "tcp", "telnet":
      guard let (host, port) = ConsoleAddress.hostAndPort(rest) else {
        throw ConsoleAddress.problem(text, "HOST:PORT is missing or wrong")
      }
      self = parts[0] == "tcp" ? .tcp(host: host, port: port) : .telnet(host: host, port: port)
    case "rfc2217":
      let (place, baud) = ConsoleAddress.whereAndBaud(rest)
      guard let (host, port) = ConsoleAddress.hostAndPort(place) else {
        throw ConsoleAddress.problem(text, "HOST:PORT is missing or wrong")
      }
      self = .rfc2217(host: host, port: port, baud: baud)
    default: throw ConsoleAddress.problem(text, "it is no address of a console")
    }
    try validate(text)
  }

  /// A path may hold an @ itself; a rate is what stands behind the last one and is a number.
  private static func whereAndBaud(_ text: String) -> (String, UInt32) {
    guard let at = text.lastIndex(of: "@"), let baud = UInt32(text[text.index(after: at)...]) else {
      return (text, defaultBaud)
    }
    return (String(text[..<at]), baud)
  }

  private static func hostAndPort(_ text: String) -> (String, UInt16)? {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
      port > 0
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    return host.isEmpty ? nil : (String(host), port)
  }

  private static func problem(_ text: String, _ what: String) -> OwnerFailure {
    OwnerFailure(
      .invalid, "'\(text)': \(what)",
      hint: "write \(forms)")
  }

  /// How addresses are written, for messages and help.
  package static let forms =
    "serial:PATH[@BAUD], socket:PATH, pty:PATH, tcp:HOST:PORT, telnet:HOST:PORT or "
    + "rfc2217:HOST:PORT[@BAUD]"

  private func validate(_ text: String) throws(OwnerFailure) {
    switch self {
    case .serial(let path, let baud):
      try ConsoleAddress.check(baud: baud, text)
      try ConsoleAddress.check(path: path, text)
    case .rfc2217(_, _, let baud): try ConsoleAddress.check(baud: baud, text)
    case .socket(let path), .pty(let path): try ConsoleAddress.check(path: path, text)
    case .tcp, .telnet: break
    }
  }

  private static func check(baud: UInt32, _ text: String) throws(OwnerFailure) {
    // Zero would hang the line up (B0, termios(3)), or only ask (RFC 2217).
    guard (50...4_000_000).contains(baud) else {
      throw problem(text, "a rate is between 50 and 4000000 bits a second")
    }
  }

  private static func check(path: String, _ text: String) throws(OwnerFailure) {
    // The owner has a working directory of its own.
    guard path.hasPrefix("/"), path.utf8.count < 4096, !path.utf8.contains(0) else {
      throw problem(text, "the path is not absolute")
    }
  }
}
