internal import Glibc
internal import KelvinModel

/// Takes messages from a device's connection, which does not block, in whatever pieces they come.
struct ADBMessageReader {
  /// What became of an attempt to read.
  enum Step {
    /// A whole message; its payload is the begin of ``payload``.
    case message(ADBMessage.Header)
    /// Nothing more has come yet.
    case nothing
    /// The link is broken: why.
    case failed(String)
  }

  /// Room for payloads; it holds the last message's until the next call.
  private(set) var payload: [UInt8] = []
  private let device: Int32
  private var head: [UInt8] = []
  private var header: ADBMessage.Header?
  private var payloadEnd = 0

  /// - Parameter device: the connection, which stays the caller's.
  init(_ device: Int32) { self.device = device }

  /// Reads on.
  mutating func next() -> Step {
    while true {
      guard let header else {
        if let step = readHead() { return step }
        continue
      }
      guard payloadEnd < header.length else {
        self.header = nil
        return .message(header)
      }
      let count = payload.withUnsafeMutableBytes {
        Glibc.read(device, $0.baseAddress?.advanced(by: payloadEnd), header.length - payloadEnd)
      }
      if let step = ADBMessageReader.step(count) { return step }
      payloadEnd += count
    }
  }

  /// Nil when something was read.
  private mutating func readHead() -> Step? {
    var bytes = [UInt8](repeating: 0, count: ADBMessage.headerSize - head.count)
    let count = Glibc.read(device, &bytes, bytes.count)
    if let step = ADBMessageReader.step(count) { return step }
    head += bytes[..<count]
    guard head.count == ADBMessage.headerSize else { return nil }
    do {
      let header = try ADBMessage.header(head)
      self.header = header
      payloadEnd = 0
      if payload.count < header.length { payload = [UInt8](repeating: 0, count: header.length) }
    } catch {
      return .failed("the device sent \(error.text)")
    }
    head.removeAll(keepingCapacity: true)
    return nil
  }

  private static func step(_ count: Int) -> Step? {
    if count > 0 { return nil }
    if count < 0, errno == EAGAIN || errno == EINTR { return .nothing }
    return .failed(
      count == 0 ? "the device hung up" : "the device hung up: \(KelvinModel.Errno.current)")
  }
}
