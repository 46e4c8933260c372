internal import KelvinModel
internal import KelvinSystem

/// What a further shell says before its command begins: on both streams a line that begins with the
/// nonce. What stands before it (a login that talks) is no output of the command.
struct ShellGreeting {
  /// The command can begin.
  struct Ready {
    var processID: Int32
    /// Empty when the target does not say.
    var bootID: String
    /// Nil when the target has no /proc to read it from.
    var entry: ProcessEntry?
    /// What came behind the lines.
    var output: [UInt8]
    var error: [UInt8]
  }

  private(set) var ready: Ready?
  /// What follows the nonce where the command cannot begin.
  private(set) var refusal = ""
  /// Standard error before that.
  private(set) var said: [UInt8] = []
  private var output: [UInt8] = []
  private var error: [UInt8] = []
  private let marker: [UInt8]
  private let connection: String

  init(nonce: String, connection: String) {
    marker = Array(nonce.utf8) + [32]
    self.connection = connection
  }

  /// Sends the script, and waits for the lines.
  mutating func exchange(
    _ script: [UInt8], over link: any ShellLink, until deadline: Deadline
  ) throws(ConnectionFailure) {
    var rest = script[...]
    var sendFailure: ConnectionFailure?
    while true {
      do throws(ConnectionFailure) {
        while !rest.isEmpty, case let count = try link.send(rest), count > 0 {
          rest = rest.dropFirst(count)
        }
      } catch {
        // Why may still have to be read.
        rest = []
        sendFailure = error
      }
      let event: ShellLinkEvent
      do {
        event = try link.receive(into: &output, error: &error)
      } catch {
        throw lost(error)
      }
      if try find() { return }
      if case .ended = event {
        throw lost(
          sendFailure ?? ConnectionFailure(.connectionLost, "the shell on the target has ended"))
      }
      // What a login prints; not without end.
      guard output.count <= 1 << 20, error.count <= 1 << 20 else {
        throw ConnectionFailure(
          .unsupported, "\(connection): the shell prints without end before it answers",
          hint: "see what the target's shell start files print when nobody is there")
      }
      switch link.wait(toSend: !rest.isEmpty, until: deadline) {
      case .ready: if deadline.hasPassed { fallthrough }
      case .passed:
        throw ConnectionFailure(
          .timedOut, "\(connection): the shell did not answer in time\(tail)")
      case .interrupted: throw ConnectionFailure(.interrupted, "\(connection): stopped")
      }
    }
  }

  private var tail: String {
    let text = String(decoding: error.suffix(300), as: UTF8.self).trimmingASCIIWhitespace
    return text.isEmpty ? "" : ": " + text
  }

  private func lost(_ failure: ConnectionFailure) -> ConnectionFailure {
    ConnectionFailure(
      failure.code, "\(connection): \(failure.message)\(tail)", hint: failure.hint)
  }

  /// - Returns: whether both lines have come, or a refusal.
  private mutating func find() throws(ConnectionFailure) -> Bool {
    guard let (errorLine, errorRange) = line(in: error) else { return false }
    guard errorLine == "ready" else {
      refusal = errorLine
      said = Array(error[..<errorRange.lowerBound])
      return true
    }
    guard let (outputLine, outputRange) = line(in: output) else { return false }
    let words = outputLine.split(separator: " ", maxSplits: 3)
    // A signal to the group of 1 goes to everything.
    guard words.count >= 3, words[0] == "ready", let processID = Int32(words[1]), processID > 1
    else {
      throw ConnectionFailure(
        .connectionLost, "\(connection): the shell answered '\(outputLine.prefix(100))'")
    }
    let entry =
      words.count < 4
      ? nil : Array(words[3].utf8).withUnsafeBytes { ProcessEntry(processID: processID, stat: $0) }
    ready = Ready(
      processID: processID, bootID: words[2] == "-" ? "" : String(words[2]), entry: entry,
      output: Array(output[outputRange.upperBound...]),
      error: Array(error[errorRange.upperBound...]))
    return true
  }

  /// The first whole line that begins with the nonce: what follows it, and where the line is, its
  /// newline included.
  private func line(in bytes: [UInt8]) -> (String, Range<Int>)? {
    var start = 0
    while let end = bytes[start...].firstIndex(of: 10) {
      let line = bytes[start..<end]
      // A login may have ended without a newline of its own.
      if let found = line.indices.first(where: { line[$0...].starts(with: marker) }) {
        let text = line[(found + marker.count)...]
        return (String(decoding: text, as: UTF8.self), found..<(end + 1))
      }
      start = end + 1
    }
    return nil
  }
}
