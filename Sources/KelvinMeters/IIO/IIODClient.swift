internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A conversation with an iiod in its text protocol (libiio 0.x, `iiod/parser.y` and `iiod-client.c`):
/// commands end with CR LF, answers begin with a decimal number on a line of its own, a length or a
/// negative errno.
///
/// Used by one thread at a time; closes with its last reference. After an answer that is not the
/// protocol's it is of no more use.
final class IIODClient: Sendable {
  /// What messages call it: `iiod at 10.0.0.7:30431`.
  let name: String
  private let wire: MeterSocket
  private let roundTrip = Mutex(Int64.max)

  /// The port that libiio's `network.c` has.
  static let port: UInt16 = 30_431
  /// Contexts of large boards have some 100 KiB.
  private static let contextLimit = 16 << 20
  /// iiod's own buffer for an attribute is 64 KiB.
  private static let attributeLimit = 65_536

  /// Connects.
  init(host: String, port: UInt16, until deadline: Deadline) throws(MeterFailure) {
    name = "iiod at \(host):\(port)"
    wire = try MeterSocket(host: host, port: port, name: name, until: deadline)
  }

  /// The shortest time from a command to its answer, in nanoseconds.
  var shortestRoundTrip: Int64 { roundTrip.withLock { $0 } }

  /// Makes the other side end what it does for this connection.
  func shutDown() { wire.shutDown() }

  // MARK: commands

  /// `VERSION`: such as `0.24.v0.24`.
  func version(until deadline: Deadline) throws(MeterFailure) -> String {
    try send("VERSION", until: deadline)
    let line = String(decoding: try line(limit: 256, until: deadline), as: UTF8.self).trimmed
    guard line.first?.isNumber ?? false, line.contains(".") else {
      throw malformed("'\(Self.excerpt(line))' is no version", hint: "does an iiod listen there?")
    }
    return line
  }

  /// `PRINT`: the context's description.
  func context(until deadline: Deadline) throws(MeterFailure) -> [UInt8] {
    try text("PRINT", limit: Self.contextLimit, until: deadline)
  }

  /// `TIMEOUT`: how long the other side waits for samples; 0 is for ever. Not every server has it.
  func setTimeout(milliseconds: Int, until deadline: Deadline) throws(MeterFailure) {
    let code = try command("TIMEOUT \(milliseconds)", until: deadline)
    guard code >= 0 || code == -Int(EINVAL) else { throw failure(code, "TIMEOUT") }
  }

  /// `READ` of an attribute, with what stands before its name: `iio:device0 INPUT voltage0`.
  func read(_ words: String, until deadline: Deadline) throws(MeterFailure) -> String {
    let bytes = try text("READ \(words)", limit: Self.attributeLimit, until: deadline)
    return String(decoding: bytes, as: UTF8.self).trimmed
  }

  /// `WRITE` of an attribute.
  func write(_ value: String, to words: String, until deadline: Deadline) throws(MeterFailure) {
    // With its NUL, as libiio sends it.
    let bytes = Array(value.utf8) + [0]
    try send("WRITE \(words) \(bytes.count)", until: deadline)
    try wire.send(bytes, until: deadline)
    let code = try integer(until: deadline)
    guard code >= 0 else { throw failure(code, words, writing: value) }
  }

  /// `GETTRIG`: the name of a device's trigger; empty when it has none.
  func trigger(of device: String, until deadline: Deadline) throws(MeterFailure) -> String {
    let command = "GETTRIG \(device)"
    let length = try self.command(command, until: deadline)
    // It has none at present, or takes none; EIO is how libiio 0.24 reads the empty file (local.c).
    if length == 0 || [ENODEV, ENOENT, EIO].contains(where: { length == -Int($0) }) { return "" }
    let bytes = try answer(to: command, length, limit: 4096, until: deadline)
    return String(decoding: bytes, as: UTF8.self).trimmed
  }

  /// `SETTRIG`; an empty one takes the trigger away.
  func setTrigger(
    _ trigger: String, of device: String, until deadline: Deadline
  ) throws(MeterFailure) {
    let words = trigger.isEmpty ? device : "\(device) \(trigger)"
    let code = try command("SETTRIG \(words)", until: deadline)
    guard code >= 0 else { throw failure(code, "SETTRIG \(words)") }
  }

  /// `OPEN`: enables the channels of a mask, in batches of so many scans.
  func open(
    _ device: String, scans: Int, mask: IIODMask, until deadline: Deadline
  ) throws(MeterFailure) {
    let code = try command("OPEN \(device) \(scans) \(mask.text)", until: deadline)
    guard code >= 0 else { throw failure(code, "OPEN \(device)") }
  }

  /// Asks for so many bytes of samples; the answer comes in pieces (``IIODStream``).
  func requestSamples(_ device: String, bytes: Int, until deadline: Deadline) throws(MeterFailure) {
    try send("READBUF \(device) \(bytes)", until: deadline)
  }

  /// Whose answer is a code alone.
  private func command(_ text: String, until deadline: Deadline) throws(MeterFailure) -> Int {
    let begin = MonotonicTime.now.nanoseconds
    try send(text, until: deadline)
    let code = try integer(until: deadline)
    let taken = MonotonicTime.now.nanoseconds &- begin
    roundTrip.withLock { $0 = min($0, taken) }
    return code
  }

  /// Whose answer is a length and as many bytes, with a newline behind them.
  private func text(
    _ text: String, limit: Int, until deadline: Deadline
  ) throws(MeterFailure) -> [UInt8] {
    try answer(to: text, try command(text, until: deadline), limit: limit, until: deadline)
  }

  /// The bytes that follow a length, or the failure that it says.
  private func answer(
    to text: String, _ length: Int, limit: Int, until deadline: Deadline
  ) throws(MeterFailure) -> [UInt8] {
    guard length >= 0 else { throw failure(length, text) }
    guard length <= limit else {
      throw malformed(
        "an answer of \(length) bytes to '\(text)'", hint: "at most \(limit) are taken")
    }
    let bytes = try wire.take(length, until: deadline)
    guard try wire.take(1, until: deadline) == [10] else {
      throw malformed("the answer to '\(text)' does not end where it says")
    }
    return bytes
  }

  // MARK: bytes

  /// A number on a line of its own; empty lines before it are passed over, as libiio does.
  func integer(until deadline: Deadline) throws(MeterFailure) -> Int {
    while true {
      let bytes = try line(limit: 64, until: deadline)
      if bytes.isEmpty { continue }
      let text = String(decoding: bytes, as: UTF8.self).trimmed
      guard let number = Int(text), (-(1 << 40)...(1 << 40)).contains(number) else {
        throw malformed("'\(Self.excerpt(text))' where a number should be")
      }
      return number
    }
  }

  /// Up to a newline, which is taken, too.
  func line(limit: Int, until deadline: Deadline) throws(MeterFailure) -> [UInt8] {
    guard let line = try wire.line(limit: limit, until: deadline) else {
      throw malformed("a line without an end")
    }
    return line
  }

  /// What is there, at most `limit` bytes; waits for the first.
  func some(limit: Int, until deadline: Deadline) throws(MeterFailure) -> [UInt8] {
    try wire.some(limit: limit, until: deadline)
  }

  private func send(_ command: String, until deadline: Deadline) throws(MeterFailure) {
    try wire.send(Array((command + "\r\n").utf8), until: deadline)
  }

  // MARK: failures

  /// What a negative code of the other side means.
  func failure(_ code: Int, _ what: String, writing value: String? = nil) -> MeterFailure {
    guard let error = Int32(exactly: -code), (1...4095).contains(error) else {
      return malformed("code \(code) for '\(what)'")
    }
    let failure = MeterFailure(iio: Errno(error), "\(name): \(what)", writing: value)
    guard failure.code == .permission else { return failure }
    return MeterFailure(
      .permission, failure.message, hint: "iiod itself may not: run it as root on its board")
  }

  func malformed(_ what: String, hint: String = "") -> MeterFailure {
    MeterFailure(.malfunction, "\(name): \(what)", hint: hint)
  }

  private static func excerpt(_ text: String) -> String {
    String(text.prefix(40).map { $0.isASCII && !$0.isNewline && $0 != "\0" ? $0 : "?" })
  }
}
