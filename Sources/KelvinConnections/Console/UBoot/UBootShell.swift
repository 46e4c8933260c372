package import KelvinModel
internal import KelvinSystem

/// U-Boot's command line over a console: commands that run once at most and whose status is true,
/// whatever the line loses or adds.
///
/// A line is typed without Enter, read back, and run only when it stands there as it was meant.
/// Used by one thread; all calls block it until their deadline at most, and a few seconds more to end
/// a command whose deadline passed.
package final class UBootShell {
  /// How U-Boot reads its lines.
  package enum Parser: Sendable, Hashable {
    /// With conditions, and a status.
    case hush
    /// CONFIG_HUSH_PARSER is not set: no command's status can be had.
    case simple
  }

  package let link: any ByteLink
  package let options: UBootOptions
  /// Whether it is known to stand at its prompt.
  package internal(set) var isOpen = false
  /// What was learned when the prompt was reached.
  package internal(set) var parser = Parser.hush
  package internal(set) var prompt: [UInt8] = []
  /// U-Boot's own name: `U-Boot 2023.01 (...)`.
  package internal(set) var version = ""
  /// Lines that were typed again because they did not arrive as they were meant.
  package internal(set) var retypedLines = 0

  /// Whether Ctrl-A and Ctrl-E work (CONFIG_CMDLINE_EDITING), so that lines can be read back.
  var isEditing = false
  /// What came since something was last sent that is waited for.
  var heard: [UInt8] = []
  var watch = UBootWatch()
  /// Whether the line is empty and its prompt was the last that came.
  var isFresh = false
  /// Whether the line has been seen to lose or to add anything.
  var isNoisy = false
  private(set) var hasHeard = false
  /// Distinguishes this session's marks from those of all others.
  private let session: String
  private var number = 0
  /// Where an over-long line was refused before.
  private var lastBell: Int?

  /// Times that a line is typed before the line is given up.
  private static let attempts = 60
  static let (interrupt, eraseLine, lineStart, lineEnd): (UInt8, UInt8, UInt8, UInt8) = (
    3, 21, 1, 5
  )

  /// Creates a shell; nothing is sent yet.
  package init(_ link: any ByteLink, options: UBootOptions = UBootOptions()) {
    self.link = link
    self.options = options
    session = String(
      (0..<6).map { _ in "abcdefghijklmnopqrstuvwxyz0123456789".randomElement() ?? "a" })
  }

  // MARK: Commands

  /// Runs a command, once at most; several lines are run one after the other.
  ///
  /// - Throws: before anything is sent, `unsupported` for a command that cannot be typed: too long, or
  ///   with what would hide its end. `refused`: U-Boot's shell does not understand it, and did not run
  ///   it. `timedOut` and `interrupted` with the partial output, after Ctrl-C has ended it;
  ///   `connectionLost` when the board starts anew or does not answer.
  package func run(
    _ command: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> UBootReply {
    try run(Array(command.utf8), until: deadline)
  }

  /// Runs a command given as bytes.
  package func run(
    _ command: [UInt8], until deadline: Deadline
  ) throws(ConnectionFailure) -> UBootReply {
    let begin = MonotonicTime.now
    guard case .ended(let status, let output, let isFramed) = try carryOut(command, until: deadline)
    else { throw lost("it has started something else") }
    return UBootReply(
      status: status, output: output, isFramed: isFramed, startTime: begin, endTime: .now)
  }

  /// How a command ended.
  enum Ending: Sendable {
    case ended(status: Int32?, output: [UInt8], isFramed: Bool)
    /// It did not begin, whatever was typed.
    case notRun
    /// Another program has the console: a kernel, or U-Boot itself, anew.
    case left
  }

  /// Types a command until it has been run.
  ///
  /// - Parameters:
  ///   - leaves: whether it is meant to start something else: then that is no failure, and nothing
  ///     ends it when the deadline passes.
  ///   - work: is done once it was typed, and before its end is looked for: what the command does over
  ///     the line itself; true when that is over, and only the command's last words are to come.
  func carryOut(
    _ command: [UInt8], leaves: Bool = false, until deadline: Deadline,
    during work: (UBootLine) throws(ConnectionFailure) -> Bool = { _ in false }
  ) throws(ConnectionFailure) -> Ending {
    guard isOpen else { throw lost("its prompt has not been reached") }
    let line = UBootLine(id: "\(number + 1).\(session)", isHush: parser == .hush)
    let lines = try typeable(command, line)
    number += 1
    var attempt = 0
    while attempt < UBootShell.attempts {
      attempt += 1
      guard try typed(lines, attempt - 1, until: deadline) else { continue }
      let isOver = try work(line)
      let isLate = deadline.hasPassed || deadline.isInterrupted
      let ending = try ending(
        of: line, leaves: leaves, until: isOver && isLate ? .after(seconds: 20) : deadline)
      if case .notRun = ending {
        isNoisy = true
        continue
      }
      return ending
    }
    throw lost("what is typed does not arrive, \(attempt) times in a row; nothing was run")
  }

  private func typeable(
    _ command: [UInt8], _ line: UBootLine
  ) throws(ConnectionFailure) -> [[UInt8]] {
    if let obstacle = UBootQuoting.obstacle(command) {
      throw ConnectionFailure(
        .unsupported, "\(link.name): the command cannot be run in U-Boot: \(obstacle)")
    }
    if parser == .simple, let word = UBootQuoting.hushWord(in: command) {
      throw ConnectionFailure(
        .unsupported,
        "\(link.name): this board's U-Boot is built without its hush shell, and knows no '\(word)'; "
          + "nothing was run", hint: "it knows ';' only, and tells no command's status")
    }
    let lines = line.command(command)
    guard lines.count == 1 || parser == .hush else {
      throw ConnectionFailure(
        .unsupported, "\(link.name): this board's U-Boot takes no command of several lines")
    }
    // The longest lines that U-Boot stores, less one: its shell adds a newline.
    let limit = options.lineLimit - 2
    if let longest = lines.map(\.count).max(), longest > limit {
      throw tooLong(longest, limit)
    }
    return lines
  }

  func tooLong(_ count: Int, _ limit: Int) -> ConnectionFailure {
    ConnectionFailure(
      .unsupported,
      "\(link.name): the command is \(count - limit) bytes too long for U-Boot's lines of "
        + "\(limit) bytes; it was not run",
      hint: "put parts of it into variables, and 'run' them; or let it stand in several lines")
  }

  /// Types all lines, the last one's Enter included; false when something went wrong, and nothing ran.
  private func typed(
    _ lines: [[UInt8]], _ attempt: Int, until deadline: Deadline
  ) throws(ConnectionFailure) -> Bool {
    try beReady(until: deadline)
    for (index, bytes) in lines.enumerated() {
      guard try type(bytes, attempt, until: deadline) else { return false }
      heard = []
      isFresh = false
      try send([13], until: deadline)
      guard index < lines.count - 1 else { return true }
      // Nothing but the prompt for more may follow: else the next line would be a command of its own.
      let more = Array("\r\n> ".utf8)
      let isThere = try gather(quiet: 0.5, limit: 2, until: deadline) { self.heard.count >= 4 }
      guard isThere, heard == more, prompt != Array("> ".utf8) else {
        isNoisy = true
        if contains("syntax error", in: heard) { throw syntaxError }
        return false
      }
    }
    return true
  }

  var syntaxError: ConnectionFailure {
    ConnectionFailure(
      .refused("syntax error"),
      "\(link.name): U-Boot's shell does not understand the command, and did not run it: "
        + "syntax error", hint: "it knows ';', '&&', '||', 'if' and loops, but no pipes or '&'")
  }

  // MARK: The line

  /// Seconds that so many bytes take.
  func transit(_ bytes: Int) -> Double {
    Double(bytes) * 10 / Double(link.bitsPerSecond ?? 115_200)
  }

  /// - Throws: `connectionLost` once the board was seen to start anew: a key would stop its boot.
  func send(_ bytes: [UInt8], until deadline: Deadline) throws(ConnectionFailure) {
    if isOpen, hasLeft { throw lost("it has restarted") }
    try link.write(bytes, until: deadline)
  }

  /// Whether something else than the reached prompt has the console.
  var hasLeft: Bool { watch.isCounting || watch.hasRestarted || watch.hasKernel }

  func hear(until deadline: Deadline) throws(ConnectionFailure) -> Bool {
    let count = heard.count
    guard try link.read(into: &heard, until: deadline) else { return false }
    hasHeard = true
    watch.append(heard[count...])
    return true
  }

  /// Listens until enough has come, or nothing comes for `quiet` seconds, or `limit` seconds are over.
  ///
  /// - Returns: whether it was enough.
  @discardableResult
  func gather(
    quiet: Double, limit: Double, until deadline: Deadline, _ isEnough: () -> Bool = { false }
  ) throws(ConnectionFailure) -> Bool {
    let end = deadline.limited(toSeconds: limit)
    while !isEnough() {
      guard !end.hasPassed, try hear(until: end.limited(toSeconds: quiet)) else {
        return isEnough()
      }
    }
    return true
  }

  func contains(_ text: String, in bytes: [UInt8]) -> Bool {
    bytes.firstRange(of: Array(text.utf8)) != nil
  }

  // MARK: Failures

  func check(_ deadline: Deadline) throws(ConnectionFailure) {
    if deadline.isInterrupted { throw ConnectionFailure(.interrupted, "\(link.name): stopped") }
    if deadline.hasPassed {
      throw ConnectionFailure(
        .timedOut,
        "\(link.name): no time was left before the command could be typed; it was not run")
    }
  }

  /// Closes the shell.
  func lost(_ why: String) -> ConnectionFailure {
    isOpen = false
    return ConnectionFailure(
      .connectionLost, "\(link.name): U-Boot does not answer: \(why)", evidence: lastWords,
      hint: "'kelvin bench console' shows what the board says")
  }

  /// What the board said last, for those who look for the reason.
  var lastWords: String {
    String(decoding: ConsoleText.visible(heard.suffix(400)), as: UTF8.self)
  }

  /// Notes where the board refused a line as too long.
  func noteBell(at count: Int) throws(ConnectionFailure) {
    guard count >= 60 else { return }
    guard lastBell == count else {
      lastBell = count
      return
    }
    throw ConnectionFailure(
      .unsupported,
      "\(link.name): this board's U-Boot takes lines of \(count) bytes, and the command needs more; "
        + "it was not run",
      hint: "say so in the bench file: 'line-limit: \(count)'")
  }
}
