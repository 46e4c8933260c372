internal import KelvinModel

/// One message over the owner's socket: a JSON object and bytes.
///
/// On the wire: the header's length and the body's, 32 bits each, most significant byte first; the
/// header, UTF-8; the body.
struct OwnerFrame: Sendable, Hashable {
  var header: [String: Value]
  var body: [UInt8] = []

  static let headerLimit = 65_536
  static let bodyLimit = 262_144

  var encoded: [UInt8] {
    let text = Array(Value.map(header).json.utf8)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(8 + text.count + body.count)
    for length in [UInt32(text.count), UInt32(body.count)] {
      for shift in stride(from: 24, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: length >> UInt32(shift)))
      }
    }
    bytes += text
    bytes += body
    return bytes
  }
}

/// Puts frames together from what a socket gives; holds no more than one frame and one read.
struct OwnerFrameReader: Sendable {
  /// Descriptors that came beside the bytes, in their order; whoever takes them closes them.
  var descriptors: [Int32] = []
  private var buffer: [UInt8] = []
  private var begin = 0

  /// Takes what was received.
  mutating func append(_ bytes: some Sequence<UInt8>) {
    if begin > 0 {
      buffer.removeSubrange(..<begin)
      begin = 0
    }
    buffer.append(contentsOf: bytes)
  }

  /// The next whole frame; nil: more is needed.
  ///
  /// - Throws: `malformed`; nothing behind it can be understood then.
  mutating func next() throws(OwnerFailure) -> OwnerFrame? {
    guard buffer.count - begin >= 8 else { return nil }
    let headerCount = length(at: begin)
    let bodyCount = length(at: begin + 4)
    guard headerCount <= OwnerFrame.headerLimit, bodyCount <= OwnerFrame.bodyLimit else {
      throw OwnerFailure(
        .malformed, "a message over the owner's socket is too long",
        evidence: "\(headerCount) and \(bodyCount) bytes")
    }
    guard buffer.count - begin >= 8 + headerCount + bodyCount else { return nil }
    let bodyStart = begin + 8 + headerCount
    let text = String(validating: buffer[(begin + 8)..<bodyStart], as: UTF8.self)
    guard let text, case .map(let header)? = Value(json: text) else {
      throw OwnerFailure(.malformed, "a message over the owner's socket is no JSON object")
    }
    defer { begin = bodyStart + bodyCount }
    return OwnerFrame(header: header, body: Array(buffer[bodyStart..<(bodyStart + bodyCount)]))
  }

  private func length(at index: Int) -> Int {
    var length = 0
    for offset in 0..<4 { length = length << 8 | Int(buffer[index + offset]) }
    return length
  }
}
