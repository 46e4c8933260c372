internal import KelvinModel
internal import KelvinSystem

/// One running POSIX shell that takes one script after the other. Used by one thread at a time.
///
/// A request is a piece of script; its reply is framed: everything that the script prints, on
/// standard output and on standard error each, then a line with the request's nonce (128 random
/// bits, so that no output can forge it) and the exit status. Replies are bytes.
final class ShellChannel {
  let link: any ShellLink
  /// The shell's process on the target, and since when; 0 and nil when it could not be read.
  let processID: Int32
  let startTicks: UInt64?
  /// Empty when the target does not say.
  let bootID: String
  /// In the environment of everything it starts: `NAME=VALUE`.
  let marker: String
  private let name: String
  private(set) var isBroken = false

  /// Bytes of a stream of a connection's own scripts; beyond it the shell is given up.
  static let replyLimit = 256 << 20

  /// Opens a shell and prepares it.
  init(
    _ transport: any ShellTransport, environment: [String: String], until deadline: Deadline
  ) throws(ConnectionFailure) {
    name = transport.name
    marker = ShellChannel.marker()
    link = try transport.open(until: deadline)
    let nonce = ShellChannel.nonce()
    // The last line alone: what the target's login prints comes before it.
    let script =
      ShellScript.prelude(environment: environment, marker: marker) + "\n"
      + ShellScript.framed(
        "printf '\\n%s %s %s' $$ \"${kelvin_boot:--}\" \"$kelvin_stat\"", nonce: nonce)
    var pump = ShellPump(
      link, output: .capture(limit: 1 << 20), error: .capture(limit: 1 << 20),
      input: .bytes(Array(script.utf8)), nonce: nonce)
    if let stop = pump.run(until: deadline) {
      pump.finish()
      link.abandon()
      throw ShellChannel.failure(name, stop, pump)
    }
    let line = pump.output.output.bytes.split(separator: 10).last ?? []
    let words = String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 2)
    let id = words.first.flatMap { Int32($0) } ?? 0
    processID = id
    bootID = words.count > 1 && words[1] != "-" ? String(words[1]) : ""
    startTicks =
      words.count < 3
      ? nil
      : Array(words[2].utf8).withUnsafeBytes { ProcessEntry(processID: id, stat: $0) }?.startTicks
  }

  deinit { link.abandon() }

  /// Why a shell that was opened did not answer, with what was said instead.
  private static func failure(
    _ name: String, _ stop: ShellPump.Stop, _ pump: ShellPump
  ) -> ConnectionFailure {
    let said = String(decoding: pump.error.output.bytes.suffix(300), as: UTF8.self)
      .trimmingASCIIWhitespace
    let detail = said.isEmpty ? "" : ": \(said)"
    return switch stop {
    case .timedOut:
      ConnectionFailure(.timedOut, "\(name): the shell did not answer in time\(detail)")
    case .interrupted: ConnectionFailure(.interrupted, "\(name): stopped")
    case .lost(let failure):
      ConnectionFailure(
        failure.code, "\(name): \(failure.message)\(detail)", hint: failure.hint)
    case .fileFailed: ConnectionFailure(.connectionLost, "\(name): the shell did not answer")
    }
  }

  /// Whether the shell can take a request. One whose link broke meanwhile cannot; nor one into whose
  /// streams a process writes that a command left behind: its next reply could not be trusted.
  func isUsable() -> Bool {
    guard !isBroken else { return false }
    var output: [UInt8] = []
    var error: [UInt8] = []
    let event = try? link.receive(into: &output, error: &error)
    return event == .open && output.isEmpty && error.isEmpty
  }

  /// Sends a framed script, and takes its reply as far as it comes.
  ///
  /// - Parameter error: nil: nothing ends standard error.
  /// - Returns: what has come, and why not all of it has. Then the shell is broken, and whoever
  ///   called ends it.
  func exchange(
    _ text: String, nonce: String, output: Command.Output, error: Command.Output?,
    until deadline: Deadline
  ) -> (pump: ShellPump, stop: ShellPump.Stop?) {
    var pump = ShellPump(
      link, output: output, error: error, input: .bytes(Array(text.utf8)), nonce: nonce)
    let stop = pump.run(until: deadline)
    if stop != nil { isBroken = true } else { pump.finish() }
    return (pump, stop)
  }

  /// 128 random bits.
  static func nonce() -> String { "kelvin-" + digits() }

  /// An environment variable that marks what one shell starts. Of fixed length, so that no marker is
  /// the begin of another.
  static func marker() -> String { "KELVIN_COMMAND=" + digits() }

  private static func digits() -> String {
    var generator = SystemRandomNumberGenerator()
    return [generator.next(), generator.next()].map { (number: UInt64) in
      let hex = String(number, radix: 16)
      return String(repeating: "0", count: 16 - hex.count) + hex
    }.joined()
  }
}
