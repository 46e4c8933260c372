package import KelvinModel

/// One request to a device of the network.
package struct HTTPRequest: Sendable, Hashable {
  package var url: HTTPURL
  package var method = "GET"
  /// Names are sent as written; values hold no line ends.
  package var headers: [(name: String, value: String)] = []
  package var body: [UInt8] = []

  /// A GET without headers of its own.
  package init(url: HTTPURL) { self.url = url }

  package static func == (a: HTTPRequest, b: HTTPRequest) -> Bool {
    a.url == b.url && a.method == b.method && a.body == b.body
      && a.headers.elementsEqual(b.headers, by: ==)
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(url) }

  /// For messages: `GET http://10.0.0.5/cm`, without what may hold secrets.
  package var shown: String { "\(method) \(url.shown)" }

  /// Head and body as they go over the wire (RFC 9112). One request for each connection.
  package var bytes: [UInt8] {
    var head = "\(method) \(url.target) HTTP/1.1\r\nHost: \(url.authority)\r\n"
    head += "User-Agent: kelvin\r\nAccept: */*\r\nConnection: close\r\n"
    if !body.isEmpty || method != "GET" { head += "Content-Length: \(body.count)\r\n" }
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    return Array((head + "\r\n").utf8) + body
  }
}

/// The parts of `http://host:port/path?query`; nothing is decoded.
package struct HTTPURL: Sendable, Hashable {
  package let isSecure: Bool
  /// Without the brackets of an IPv6 address.
  package let host: String
  package let port: UInt16
  /// Path and query, as sent; starts with a slash.
  package let target: String
  /// As in the URL: host and, when written, port.
  package let authority: String

  /// Reads a URL.
  ///
  /// - Throws: of kind configuration: another scheme, no host, user information (a password belongs
  ///   elsewhere), a character that has no place in a request line.
  package init(_ text: String) throws(PlainFailure) {
    func refuse(_ what: String, hint: String = "") -> PlainFailure {
      PlainFailure(.configuration, "URL \(LocatedValue.quoted(text)): \(what)", hint: hint)
    }
    guard text.utf8.count <= 2048, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
      throw PlainFailure(
        .configuration, "a URL holds spaces or other characters that must be percent-encoded",
        hint: "write a space as %20")
    }
    var rest = text[...]
    if rest.hasPrefix("http://") {
      isSecure = false
      rest = rest.dropFirst(7)
    } else if rest.hasPrefix("https://") {
      isSecure = true
      rest = rest.dropFirst(8)
    } else {
      throw refuse("it must start with http:// or https://")
    }
    let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
    authority = String(rest[..<end])
    guard !authority.contains("@") else {
      throw PlainFailure(
        .configuration, "a URL holds a user name or password",
        hint: "use 'user' and 'password-from'")
    }
    let path = rest[end...].prefix { $0 != "#" }
    target = path.hasPrefix("/") ? String(path) : "/" + path
    var host = authority[...]
    var port: Substring?
    if host.hasPrefix("["), let close = host.firstIndex(of: "]") {
      let after = host[host.index(after: close)...]
      if after.hasPrefix(":") { port = after.dropFirst() } else if !after.isEmpty { host = "" }
      if !host.isEmpty { host = host[host.index(after: host.startIndex)..<close] }
    } else if let colon = host.firstIndex(of: ":") {
      port = host[host.index(after: colon)...]
      host = host[..<colon]
    }
    guard !host.isEmpty, !host.contains("["), !host.contains("]") else {
      throw refuse("it has no host")
    }
    if let port {
      guard let number = UInt16(port), number > 0, port.first?.isNumber == true else {
        throw refuse("port '\(port)' is none")
      }
      self.port = number
    } else {
      self.port = isSecure ? 443 : 80
    }
    self.host = String(host)
  }

  /// For messages: without the query, which may hold a password.
  package var shown: String {
    (isSecure ? "https://" : "http://") + authority + target.prefix { $0 != "?" }
  }

  /// The text with everything but letters, digits and `-._~` percent-encoded, for a query's value.
  package static func encode(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".unicodeScalars)
    var encoded = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "~"):
        encoded.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        encoded += "%"
        encoded.unicodeScalars.append(digits[Int(byte >> 4)])
        encoded.unicodeScalars.append(digits[Int(byte & 15)])
      }
    }
    return encoded
  }
}
