internal import KelvinDevices
internal import KelvinModel

/// Reads one response (RFC 9112) from bytes as they come. Refuses what two readers might read
/// differently: folded headers, two lengths, a length beside chunks.
package struct HTTPParser: Sendable {
  /// Why bytes are no response.
  package struct Mistake: Error, Hashable {
    package let what: String

    /// Says what is wrong.
    package init(what: String) { self.what = what }
  }

  private var bytes: [UInt8] = []
  private var head: Head?

  private struct Head: Sendable {
    var response: HTTPResponse
    /// Where the body starts.
    var end: Int
    var framing: Framing
  }
  private enum Framing: Sendable { case none, length(Int), chunked, untilClose }

  /// Begins before the first byte.
  package init() {}

  /// How much has been received.
  package var count: Int { bytes.count }
  /// What has been received, for messages.
  package var excerpt: String { Excerpt.of(bytes) }

  /// Takes more bytes; gives the response once it is complete.
  ///
  /// - Parameter isEnd: the connection was closed after these bytes.
  package mutating func take(
    _ more: some Sequence<UInt8>, isEnd: Bool = false
  ) throws(Mistake) -> HTTPResponse? {
    bytes += more
    if head == nil { try readHead() }
    guard let head else {
      if isEnd {
        throw Mistake(what: bytes.isEmpty ? "it closed without an answer" : "the answer ends early")
      }
      return nil
    }
    let body = bytes[head.end...]
    switch head.framing {
    case .none: return head.response
    case .length(let length):
      guard body.count >= length else { break }
      return finish(head, Array(body.prefix(length)))
    case .chunked:
      if let decoded = try HTTPParser.decodeChunks(body) { return finish(head, decoded) }
      guard body.count <= 2 * HTTPResponse.bodyLimit else {
        throw Mistake(what: "its body is too long")
      }
    case .untilClose:
      guard body.count <= HTTPResponse.bodyLimit else {
        throw Mistake(what: "its body is too long")
      }
      if isEnd { return finish(head, Array(body)) }
    }
    if isEnd { throw Mistake(what: "the answer ends early") }
    return nil
  }

  private func finish(_ head: Head, _ body: [UInt8]) -> HTTPResponse {
    var response = head.response
    response.body = body
    return response
  }

  private mutating func readHead() throws(Mistake) {
    // Says at once that this is no HTTP, before waiting for a head's end that never comes.
    let start = Array("HTTP/1.".utf8)
    guard bytes.prefix(start.count).elementsEqual(start.prefix(bytes.count)) else {
      throw Mistake(what: "this is no HTTP/1 answer")
    }
    guard let end = HTTPParser.headEnd(bytes) else {
      guard bytes.count <= HTTPResponse.headLimit else {
        throw Mistake(what: "its head is too long")
      }
      return
    }
    guard end <= HTTPResponse.headLimit else { throw Mistake(what: "its head is too long") }
    var lines = bytes[..<end].split(separator: 10, omittingEmptySubsequences: false).map { line in
      line.last == 13 ? line.dropLast() : line
    }
    let status = lines.removeFirst()
    let words = status.split(separator: 32, maxSplits: 2, omittingEmptySubsequences: false)
    guard words.count >= 2, words[0].count == 8, words[1].count == 3,
      let code = Int(String(decoding: words[1], as: UTF8.self)), (100..<600).contains(code)
    else { throw Mistake(what: "its status line is malformed") }
    if code < 200 {
      // An interim answer: the real one follows it.
      bytes.removeFirst(end)
      return try readHead()
    }
    var headers: [HTTPResponse.Header] = []
    for line in lines where !line.isEmpty {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
        line[..<colon].allSatisfy({ $0 > 0x20 && $0 < 0x7f })
      else { throw Mistake(what: "a header is malformed") }
      let value = String(decoding: line[(colon + 1)...], as: UTF8.self)
      headers.append(
        HTTPResponse.Header(
          name: String(decoding: line[..<colon], as: UTF8.self),
          value: String(value.trimmingASCIIWhitespace)))
    }
    let response = HTTPResponse(status: code, headers: headers, body: [])
    head = Head(
      response: response, end: end, framing: try HTTPParser.framing(response))
  }

  private static func framing(_ response: HTTPResponse) throws(Mistake) -> Framing {
    if response.status == 204 || response.status == 304 { return .none }
    let values = { (name: String) in
      response.headers.filter { $0.name.lowercased() == name }.map(\.value)
    }
    let lengths = Set(values("content-length"))
    let codings = values("transfer-encoding")
    if !codings.isEmpty {
      guard codings.count == 1, codings[0].lowercased() == "chunked", lengths.isEmpty else {
        throw Mistake(what: "its transfer encoding is not understood")
      }
      return .chunked
    }
    guard let text = lengths.first else { return .untilClose }
    guard lengths.count == 1, text.utf8.count <= 9,
      text.utf8.allSatisfy({ (48...57).contains($0) }),
      let length = Int(text)
    else { throw Mistake(what: "its length is malformed") }
    guard length <= HTTPResponse.bodyLimit else { throw Mistake(what: "its body is too long") }
    return .length(length)
  }

  /// Behind the empty line that ends a head, nil when it has not come.
  private static func headEnd(_ bytes: [UInt8]) -> Int? {
    var index = 0
    while let end = bytes[index...].firstIndex(of: 10) {
      let next = end + 1
      if next < bytes.count, bytes[next] == 10 { return next + 1 }
      if next + 1 < bytes.count, bytes[next] == 13, bytes[next + 1] == 10 { return next + 2 }
      index = next
    }
    return nil
  }

  /// The content of chunks, nil while they are incomplete.
  private static func decodeChunks(_ bytes: ArraySlice<UInt8>) throws(Mistake) -> [UInt8]? {
    var rest = bytes
    var body: [UInt8] = []
    while true {
      guard let end = rest.firstIndex(of: 10) else {
        guard rest.count <= 256 else { throw Mistake(what: "a chunk's size is malformed") }
        return nil
      }
      let line = rest[..<end].prefix { $0 != UInt8(ascii: ";") && $0 != 13 }
      let digits = String(decoding: line, as: UTF8.self).trimmingASCIIWhitespace
      guard (1...8).contains(digits.utf8.count), digits.allSatisfy(\.isHexDigit),
        let size = Int(digits, radix: 16)
      else { throw Mistake(what: "a chunk's size is malformed") }
      rest = rest[(end + 1)...]
      if size == 0 { return body }
      guard body.count + size <= HTTPResponse.bodyLimit else {
        throw Mistake(what: "its body is too long")
      }
      guard rest.count >= size + 1 else { return nil }
      body += rest.prefix(size)
      rest = rest.dropFirst(size)
      if rest.first == 13 { rest = rest.dropFirst() }
      guard let lineEnd = rest.first else { return nil }
      guard lineEnd == 10 else { throw Mistake(what: "a chunk is longer than it says") }
      rest = rest.dropFirst()
    }
  }
}
