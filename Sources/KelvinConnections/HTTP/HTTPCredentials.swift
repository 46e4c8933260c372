internal import Glibc
internal import KelvinDevices
package import KelvinModel

/// The value of an Authorization header.
package enum HTTPCredentials {
  /// RFC 7617.
  package static func basic(_ user: String, _ password: String) -> String {
    "Basic " + base64(Array("\(user):\(password)".utf8))
  }

  /// RFC 7616 with SHA-256 and quality of protection `auth`: what Shelly devices of generation 2 ask
  /// for.
  ///
  /// - Parameters:
  ///   - challenge: of the WWW-Authenticate header.
  ///   - clientNonce: a fresh one unless a test brings its own.
  /// - Throws: when the challenge asks for something else.
  package static func digest(
    _ challenge: String, user: String, password: String, method: String, target: String,
    clientNonce: String = freshNonce()
  ) throws(PlainFailure) -> String {
    let (scheme, parts) = parse(challenge)
    guard scheme == "digest", let realm = parts["realm"], let nonce = parts["nonce"],
      parts["algorithm"]?.uppercased() == "SHA-256",
      (parts["qop"] ?? "").split(separator: ",").contains(where: {
        $0.trimmingASCIIWhitespace == "auth"
      })
    else {
      throw PlainFailure(
        .configuration, "it asks for a way to log in that is not known here",
        evidence: Excerpt.of(Array(challenge.utf8)))
    }
    let hash = { (text: String) in Checksum.sha256(Array(text.utf8)) }
    let first = hash("\(user):\(realm):\(password)")
    let second = hash("\(method):\(target)")
    let response = hash("\(first):\(nonce):00000001:\(clientNonce):auth:\(second)")
    var value = "Digest username=\"\(user)\", realm=\"\(realm)\", nonce=\"\(nonce)\", "
    value += "uri=\"\(target)\", algorithm=SHA-256, qop=auth, nc=00000001, "
    value += "cnonce=\"\(clientNonce)\", response=\"\(response)\""
    if let opaque = parts["opaque"] { value += ", opaque=\"\(opaque)\"" }
    return value
  }

  /// The scheme in lower case, and the parameters, which may be quoted. Quotes and backslashes inside
  /// a value are refused by leaving it out: it would be sent back between quotes.
  package static func parse(_ challenge: String) -> (scheme: String, parts: [String: String]) {
    let words = challenge.split(separator: " ", maxSplits: 1)
    guard words.count == 2 else { return (challenge.lowercased(), [:]) }
    var parts: [String: String] = [:]
    var rest = words[1]
    while let equals = rest.firstIndex(of: "=") {
      let name = rest[..<equals].drop { $0 == "," || $0 == " " }.lowercased()
      rest = rest[rest.index(after: equals)...]
      let value: Substring
      if rest.first == "\"" {
        rest = rest.dropFirst()
        guard let end = rest.firstIndex(of: "\"") else { break }
        value = rest[..<end]
        rest = rest[rest.index(after: end)...]
      } else {
        value = rest.prefix { $0 != "," && $0 != " " }
        rest = rest[value.endIndex...]
      }
      if !value.contains("\\"), parts[name] == nil { parts[name] = String(value) }
    }
    return (words[0].lowercased(), parts)
  }

  package static func freshNonce() -> String {
    var generator = SystemRandomNumberGenerator()
    return String(generator.next(), radix: 16)
  }

  private static func base64(_ bytes: [UInt8]) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let padded = Array(group) + [UInt8](repeating: 0, count: 3 - group.count)
      let number = UInt32(padded[0]) << 16 | UInt32(padded[1]) << 8 | UInt32(padded[2])
      for position in 0..<4 {
        let digit = Int(number >> (18 - 6 * UInt32(position)) & 63)
        text.append(position <= group.count ? digits[digit] : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
