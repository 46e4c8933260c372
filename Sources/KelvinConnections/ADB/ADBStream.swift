internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// One service's bytes: a socket to the adb server, or one of a device's streams. Used by one thread;
/// blocks it until its deadline.
///
/// The end of the bytes is an end, never a success: callers know from the service whether it was due.
package final class ADBStream {
  /// Readable when there may be something to receive, apart from what ``hasBuffered`` tells of.
  package let descriptor: Int32
  /// What messages call it: `adb rock: sync:`.
  package private(set) var name: String
  /// Says why the stream ended early, where something else than the socket knows.
  private let reason: (@Sendable () -> String?)?
  private var input = [UInt8](repeating: 0, count: ADBStream.bufferSize)
  private var inputStart = 0
  private var inputEnd = 0
  private var isClosed = false
  /// As far as is known.
  private var isTCP = true

  private static let bufferSize = 1 << 18

  /// Takes a connected, non-blocking descriptor over.
  init(_ descriptor: Int32, name: String, reason: (@Sendable () -> String?)? = nil) {
    self.descriptor = descriptor
    self.name = name
    self.reason = reason
    ADBStream.ignoreBrokenPipes()
  }

  deinit { close() }

  /// Hangs up. Idempotent.
  package func close() {
    guard !isClosed else { return }
    isClosed = true
    Glibc.close(descriptor)
  }

  /// Names it after the service that it leads to from now on.
  func rename(_ name: String) { self.name = name }

  /// Whether bytes wait here that a poll of ``descriptor`` does not show.
  package var hasBuffered: Bool { inputStart < inputEnd }

  /// A peer that hangs up must be an error of write(2), not the end of this process. Only a default
  /// disposition is changed.
  private static let brokenPipes: Void = {
    var action = sigaction()
    guard sigaction(SIGPIPE, nil, &action) == 0, action.__sigaction_handler.sa_handler == nil
    else { return }
    signal(SIGPIPE, SIG_IGN)
  }()
  private static func ignoreBrokenPipes() { _ = brokenPipes }

  // MARK: Reading

  /// Waits for bytes and takes what came, at most `limit`.
  ///
  /// - Returns: how many were appended; 0 at the end.
  @discardableResult
  package func receive(
    into bytes: inout [UInt8], limit: Int = .max, until deadline: Deadline
  ) throws(ConnectionFailure) -> Int {
    guard try fill(until: deadline) else { return 0 }
    let count = min(limit, inputEnd - inputStart)
    bytes.append(contentsOf: input[inputStart..<(inputStart + count)])
    inputStart += count
    return count
  }

  /// Reads exactly so many bytes.
  ///
  /// - Throws: `connectionLost` when the stream ends before.
  func read(_ count: Int, until deadline: Deadline) throws(ConnectionFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
      guard try receive(into: &bytes, limit: count - bytes.count, until: deadline) > 0 else {
        throw lost()
      }
    }
    return bytes
  }

  /// Reads exactly as many bytes as fit, past the buffer where it can.
  func read(
    into target: UnsafeMutableRawBufferPointer, until deadline: Deadline
  ) throws(ConnectionFailure) {
    var filled = min(target.count, inputEnd - inputStart)
    if filled > 0 {
      input.withUnsafeBytes { bytes in
        target.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: bytes[inputStart..<(inputStart + filled)]))
      }
      inputStart += filled
    }
    while filled < target.count {
      let count = Glibc.read(
        descriptor, target.baseAddress?.advanced(by: filled), target.count - filled)
      if count > 0 {
        filled += count
      } else if count == 0 {
        throw lost()
      } else {
        try wait(Int16(POLLIN), until: deadline)
      }
    }
  }

  /// Reads to the end.
  ///
  /// - Throws: `unsupported` beyond `limit` bytes.
  func readToEnd(limit: Int, until deadline: Deadline) throws(ConnectionFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    while try receive(into: &bytes, until: deadline) > 0 {
      guard bytes.count <= limit else {
        throw ConnectionFailure(.unsupported, "\(name): an answer of more than \(limit) bytes")
      }
    }
    return bytes
  }

  /// Makes sure that something is in the buffer; false at the end.
  private func fill(until deadline: Deadline) throws(ConnectionFailure) -> Bool {
    guard inputStart == inputEnd else { return true }
    while true {
      let count = input.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress, $0.count)
      }
      if count > 0 {
        inputStart = 0
        inputEnd = count
        return true
      }
      // A pair of sockets is reset when the other side closes it before it has read everything.
      if count == 0 || (errno == ECONNRESET && reason != nil) {
        if let why = reason?() { throw lost(why) }
        return false
      }
      try wait(Int16(POLLIN), until: deadline)
    }
  }

  /// Takes what has arrived to the buffer's end, whatever waits there already; never blocks.
  ///
  /// - Returns: how many bytes came; 0 at the end, nil when there was nothing now.
  @discardableResult
  func stash() -> Int? {
    if inputStart == inputEnd {
      inputStart = 0
      inputEnd = 0
    } else if inputStart > 0 {
      input.removeSubrange(..<inputStart)
      inputEnd -= inputStart
      inputStart = 0
    }
    let room = 1 << 16
    if input.count - inputEnd < room {
      input.append(contentsOf: repeatElement(0, count: room - (input.count - inputEnd)))
    }
    let count = input.withUnsafeMutableBytes {
      Glibc.read(descriptor, $0.baseAddress?.advanced(by: inputEnd), $0.count - inputEnd)
    }
    inputEnd += max(0, count)
    return count < 0 ? nil : count
  }

  /// Appends what waits in the buffer.
  func takeBuffered(into bytes: inout [UInt8]) {
    bytes.append(contentsOf: input[inputStart..<inputEnd])
    inputStart = inputEnd
  }

  // MARK: Writing

  /// Sends all of the bytes; what arrives meanwhile is kept, so that two sides that both send do not
  /// wait for each other for ever.
  package func send(_ bytes: [UInt8], until deadline: Deadline) throws(ConnectionFailure) {
    try send(bytes[...], until: deadline)
  }

  /// Sends all of the bytes.
  package func send(
    _ bytes: ArraySlice<UInt8>, until deadline: Deadline
  ) throws(ConnectionFailure) {
    var rest = bytes
    while true {
      rest = rest.dropFirst(try sendNow(rest))
      if rest.isEmpty { return }
      switch deadline.wait(for: descriptor, events: Int16(POLLIN | POLLOUT)) {
      case .ready: stash()
      case .passed: throw ConnectionFailure(.timedOut, "\(name): takes no bytes")
      case .interrupted: throw ConnectionFailure(.interrupted, "\(name): stopped")
      }
    }
  }

  /// Sends what the socket takes now.
  ///
  /// - Returns: how many bytes that was.
  func sendNow(_ bytes: ArraySlice<UInt8>) throws(ConnectionFailure) -> Int {
    guard !bytes.isEmpty else { return 0 }
    let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    if count < 0, errno != EAGAIN, errno != EINTR { throw lost("\(Errno.current)") }
    return max(0, count)
  }

  // MARK: Waiting

  /// After a call that would have blocked, or failed.
  private func wait(_ events: Int16, until deadline: Deadline) throws(ConnectionFailure) {
    let error = Errno.current
    guard error.rawValue == EAGAIN || error.rawValue == EINTR else { throw lost("\(error)") }
    try wait(for: events, until: deadline)
  }

  /// Has the kernel acknowledge at once what was taken.
  ///
  /// adb's server leaves Nagle's algorithm on: the second of two short packets leaves it only when the
  /// first is acknowledged, which Linux otherwise does 40 ms later (tcp(7), TCP_QUICKACK; not for
  /// good, so it is asked for before each wait). Means nothing to other sockets than TCP's.
  func acknowledge() {
    guard isTCP else { return }
    var one: Int32 = 1
    isTCP = setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, &one, 4) == 0
  }

  /// Waits until there is something to read, or the end; false when the time has passed.
  func hasSomething(until deadline: Deadline) throws(ConnectionFailure) -> Bool {
    if hasBuffered { return true }
    switch deadline.wait(for: descriptor) {
    case .ready: return true
    case .passed: return false
    case .interrupted: throw ConnectionFailure(.interrupted, "\(name): stopped")
    }
  }

  /// Waits for the socket alone.
  func wait(for events: Int16, until deadline: Deadline) throws(ConnectionFailure) {
    acknowledge()
    switch deadline.wait(for: descriptor, events: events) {
    case .ready: return
    case .passed: throw ConnectionFailure(.timedOut, "\(name): no answer in time")
    case .interrupted: throw ConnectionFailure(.interrupted, "\(name): stopped")
    }
  }

  /// The failure of a stream that ended where more was due.
  func lost(_ why: String? = nil) -> ConnectionFailure {
    ConnectionFailure(
      .connectionLost,
      "\(name): the connection was lost: \(reason?() ?? why ?? "it ended in mid-answer")",
      hint: "is the board still up and plugged in?")
  }
}
