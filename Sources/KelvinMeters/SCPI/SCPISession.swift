internal import KelvinDevices
internal import KelvinModel
internal import Synchronization

/// A conversation with an instrument: lines with a newline at their end, one question at a time, one answer to
/// each. Used by one thread at a time; closes with its last reference.
///
/// An answer that comes too late, or one too many, would be taken for that to the next question: what is there
/// before a question is asked is thrown away and counted, and ``isConfirmed(as:until:)`` tells whether answers
/// still belong to their questions. After a failure it is of no more use.
final class SCPISession: Sendable {
  /// What messages call it: `psu: 10.0.0.7:5025`.
  let name: String
  private let link: any SCPILink
  private let stray = Mutex(0)

  /// Of an answer that is a line: a list of a thousand numbers has 16,000 characters.
  private static let lineLimit = 65_536
  private static let evidence = 200

  /// Begins one.
  init(_ name: String, _ link: any SCPILink) {
    self.name = name
    self.link = link
  }

  /// Lines that came without having been asked for.
  var strays: Int { stray.withLock { $0 } }

  /// Sends commands that are not answered, each in a line.
  func send(_ lines: [String], until deadline: Deadline) throws(MeterFailure) {
    try link.send(lines, until: deadline)
  }

  /// Asks, and takes a line, without its end.
  ///
  /// - Parameter before: lines that are not answered, sent in the same packet.
  func ask(
    _ query: String, before: [String] = [], until deadline: Deadline
  ) throws(MeterFailure) -> [UInt8] {
    try clear()
    try send(before + [query], until: deadline)
    return try line(query, until: deadline)
  }

  private func line(_ query: String, until deadline: Deadline) throws(MeterFailure) -> [UInt8] {
    guard let line = try link.line(limit: Self.lineLimit, until: deadline) else {
      throw MeterFailure(
        .malfunction, "\(name): an answer to '\(query)' without an end",
        hint: "is it an instrument?")
    }
    // Some end their lines with CR LF.
    return line.last == 13 ? line.dropLast() : line
  }

  /// Asks, and takes a block of a definite length; an empty line is an empty block.
  ///
  /// - Parameter limit: of its bytes.
  func block(
    _ query: String, limit: Int, until deadline: Deadline
  ) throws(MeterFailure) -> [UInt8] {
    try clear()
    try send([query], until: deadline)
    var head: [UInt8] = []
    while true {
      switch SCPIBlock.header(head, limit: limit) {
      case .incomplete:
        head += try link.take(1, until: deadline)
        if head == [10] { return [] }
      case .block(_, let count):
        // The header is read byte by byte: it ends here.
        let bytes = try link.take(count, until: deadline)
        let end = try line(query, until: deadline)
        guard end.isEmpty else {
          throw malformed(query, end, "more than the \(count) bytes of its block")
        }
        return bytes
      case .malformed: throw malformed(query, head, "no block of data")
      }
    }
  }

  /// Throws away what came without having been asked for.
  private func clear() throws(MeterFailure) {
    let bytes = try link.leftOver()
    guard !bytes.isEmpty else { return }
    let lines = max(1, bytes.count { $0 == 10 })
    stray.withLock { $0 += lines }
  }

  /// An answer that is not what it should be.
  func malformed(_ query: String, _ answer: [UInt8], _ what: String) -> MeterFailure {
    MeterFailure(
      .malfunction, "\(name): the answer to '\(query)' is \(what)",
      evidence: Excerpt.of(answer.prefix(Self.evidence)))
  }

  // MARK: questions that every instrument answers

  /// Who it is.
  func identity(until deadline: Deadline) throws(MeterFailure) -> SCPIIdentity {
    let answer: [UInt8]
    do throws(MeterFailure) {
      answer = try ask("*IDN?", until: deadline)
    } catch {
      guard error.code == .timedOut else { throw error }
      throw MeterFailure(
        .timedOut, "\(name): it does not answer '*IDN?'",
        hint: "is it the port of its raw socket? Rigol's have 5555")
    }
    guard let identity = SCPIIdentity(answer) else {
      throw malformed("*IDN?", answer, "no identity")
    }
    return identity
  }

  /// Whether answers still belong to their questions: only one of them is answered by who it is.
  func isConfirmed(as identity: SCPIIdentity, until deadline: Deadline) throws(MeterFailure) -> Bool
  {
    SCPIIdentity(try ask("*IDN?", until: deadline)) == identity
  }

  /// Empties the queue of errors.
  ///
  /// - Parameter query: nil: there is none.
  /// - Returns: what was in it, at most so many as any queue keeps.
  func errors(_ query: String?, until deadline: Deadline) throws(MeterFailure) -> [SCPIQueuedError]
  {
    guard let query else { return [] }
    var found: [SCPIQueuedError] = []
    for _ in 0..<32 {
      let answer = try ask(query, until: deadline)
      guard let entry = SCPIQueuedError(answer) else {
        throw malformed(query, answer, "no entry of a queue of errors")
      }
      guard entry.code != 0 else { break }
      found.append(entry)
    }
    return found
  }

  /// A number; nil when there is none to tell.
  func number(
    _ query: String, before: [String], until deadline: Deadline
  ) throws(MeterFailure) -> Double? {
    let answer = try ask(query, before: before, until: deadline)
    guard let number = SCPINumber(answer) else { throw malformed(query, answer, "no number") }
    if case .value(let value, _) = number { return value }
    return nil
  }

  /// Whether something is on.
  ///
  /// - Parameter bit: of a hexadecimal register, where it is one.
  func isOn(
    _ query: String, bit: Int?, before: [String], until deadline: Deadline
  ) throws(MeterFailure) -> Bool {
    let answer = try ask(query, before: before, until: deadline)
    let text = String(decoding: answer, as: UTF8.self).trimmed.uppercased()
    if let bit {
      guard text.hasPrefix("0X"), let register = UInt64(text.dropFirst(2), radix: 16), bit < 64
      else {
        throw malformed(query, answer, "no register")
      }
      return register >> UInt64(bit) & 1 == 1
    }
    switch text {
    case "1", "+1", "ON": return true
    case "0", "+0", "OFF": return false
    default: throw malformed(query, answer, "neither on nor off")
    }
  }
}
