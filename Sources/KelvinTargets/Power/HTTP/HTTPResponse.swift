internal import KelvinDevices
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
