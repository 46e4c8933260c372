internal import KelvinModel

/// What a plug or PDU answered.
struct HTTPResponse: Sendable, Hashable {
  var status: Int
  /// In the order received.
  var headers: [Header]
  var body: [UInt8]

  struct Header: Sendable, Hashable {
    var name: String
    var value: String
  }

  /// Heads and bodies beyond these are not a plug's: 16 KiB and 256 KiB.
  static let headLimit = 16_384
  static let bodyLimit = 262_144

  /// The body as text; what is not UTF-8 becomes U+FFFD.
  var text: String { String(decoding: body, as: UTF8.self) }
  /// The start of the body on one line, for messages.
  var excerpt: String { Excerpt.of(body) }

  /// The first header of this name, in any case.
  subscript(name: String) -> String? {
    headers.first { $0.name.lowercased() == name.lowercased() }?.value
  }

  /// Whether the status is 2xx.
  var isSuccess: Bool { (200..<300).contains(status) }
}

/// What of a device's output goes into a message.
enum Excerpt {
  /// At most 80 characters on one line; what cannot be printed becomes `.`, longer output ends in `…`.
  static func of(_ bytes: some Collection<UInt8>) -> String {
    let text = String(decoding: bytes.prefix(320), as: UTF8.self).prefix(80)
    let printable = text.unicodeScalars.map { scalar in
      scalar.value < 0x20 || scalar.value == 0x7f || scalar == "\u{fffd}" ? "." : String(scalar)
    }
    return printable.joined() + (bytes.count > text.utf8.count ? "…" : "")
  }

  /// Bytes of a binary protocol: `a0 01 01 a2`, at most 16.
  static func hex(_ bytes: some Collection<UInt8>) -> String {
    let shown = bytes.prefix(16).map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return shown.joined(separator: " ") + (bytes.count > 16 ? " …" : "")
  }
}
