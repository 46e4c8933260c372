/// Messages between an OpenSSH client that shares its connection and those who ask it for channels:
/// version 4 of the protocol in OpenSSH's PROTOCOL.mux.
///
/// On the wire: a 32-bit length, then a 32-bit type and the fields; numbers are big-endian, strings
/// have a 32-bit length before them. Pure.
enum SSHMuxMessage: Hashable {
  case hello(version: UInt32)
  /// Ends of the three standard streams are passed after it, in order.
  case newSession(request: UInt32, command: String)
  case sessionOpened(request: UInt32, session: UInt32)
  case permissionDenied(request: UInt32, reason: String)
  case failure(request: UInt32, reason: String)
  case exit(session: UInt32, status: UInt32)
  /// What nobody here asked for.
  case other(type: UInt32)

  static let version: UInt32 = 4
  /// No message of the protocol that is understood here comes near it.
  static let longest = 1 << 16

  /// The whole message, its length before it.
  var bytes: [UInt8] {
    var body: [UInt8] = []
    func put(_ number: UInt32) { withUnsafeBytes(of: number.bigEndian) { body += $0 } }
    func put(_ text: String) {
      put(UInt32(text.utf8.count))
      body += Array(text.utf8)
    }
    switch self {
    case .hello(let version):
      put(0x1)
      put(version)
    case .newSession(let request, let command):
      put(0x1000_0002)
      put(request)
      // Reserved; then no terminal, no X11, no agent, no subsystem, no escape character, no TERM.
      put("")
      for _ in 0..<4 { put(0 as UInt32) }
      put(UInt32.max)
      put("")
      put(command)
    case .sessionOpened(let request, let session):
      put(0x8000_0006)
      put(request)
      put(session)
    case .permissionDenied(let request, let reason):
      put(0x8000_0002)
      put(request)
      put(reason)
    case .failure(let request, let reason):
      put(0x8000_0003)
      put(request)
      put(reason)
    case .exit(let session, let status):
      put(0x8000_0004)
      put(session)
      put(status)
    case .other(let type): put(type)
    }
    let length = UInt32(body.count)
    return withUnsafeBytes(of: length.bigEndian) { Array($0) } + body
  }

  /// What stands at the begin of received bytes.
  enum Parsed: Hashable {
    case incomplete
    /// No such message can be.
    case malformed
    case message(SSHMuxMessage, length: Int)
  }

  static func parse(_ bytes: ArraySlice<UInt8>) -> Parsed {
    var reader = Reader(bytes: bytes)
    guard let length = reader.number() else { return .incomplete }
    guard length >= 4, length <= longest else { return .malformed }
    guard reader.bytes.count >= Int(length) else { return .incomplete }
    reader.bytes = reader.bytes.prefix(Int(length))
    guard let message = reader.message() else { return .malformed }
    return .message(message, length: 4 + Int(length))
  }

  private struct Reader {
    var bytes: ArraySlice<UInt8>

    mutating func number() -> UInt32? {
      guard bytes.count >= 4 else { return nil }
      defer { bytes = bytes.dropFirst(4) }
      return bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func text() -> String? {
      guard let count = number(), count <= bytes.count else { return nil }
      defer { bytes = bytes.dropFirst(Int(count)) }
      return String(decoding: bytes.prefix(Int(count)), as: UTF8.self)
    }

    mutating func message() -> SSHMuxMessage? {
      guard let type = number() else { return nil }
      switch type {
      case 0x1:
        guard let version = number() else { return nil }
        return .hello(version: version)
      case 0x8000_0006:
        guard let request = number(), let session = number() else { return nil }
        return .sessionOpened(request: request, session: session)
      case 0x8000_0002, 0x8000_0003:
        guard let request = number(), let reason = text() else { return nil }
        return type == 0x8000_0002
          ? .permissionDenied(request: request, reason: reason)
          : .failure(request: request, reason: reason)
      case 0x8000_0004:
        guard let session = number(), let status = number() else { return nil }
        return .exit(session: session, status: status)
      default: return .other(type: type)
      }
    }
  }
}
