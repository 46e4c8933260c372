internal import KelvinDevices

/// What a device of the network answered.
package struct HTTPResponse: Sendable, Hashable {
  package var status: Int
  /// In the order received.
  package var headers: [Header]
  package var body: [UInt8]

  package struct Header: Sendable, Hashable {
    package var name: String
    package var value: String
  }

  /// Heads and bodies beyond these are no device's: 16 KiB and 256 KiB.
  package static let headLimit = 16_384
  package static let bodyLimit = 262_144

  /// The body as text; what is not UTF-8 becomes U+FFFD.
  package var text: String { String(decoding: body, as: UTF8.self) }
  /// The start of the body on one line, for messages.
  package var excerpt: String { Excerpt.of(body) }

  /// The first header of this name, in any case.
  package subscript(name: String) -> String? {
    headers.first { $0.name.lowercased() == name.lowercased() }?.value
  }

  /// Whether the status is 2xx.
  package var isSuccess: Bool { (200..<300).contains(status) }
}
