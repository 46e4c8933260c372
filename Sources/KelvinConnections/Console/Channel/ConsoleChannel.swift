package import KelvinModel
internal import KelvinSystem

/// Runs scripts on a board over a line that is a console, too, so that their results are true
/// whatever else the line carries or loses.
///
/// ``open(until:)`` needs a shell's prompt (any shell, any prompt) and leaves an agent in its place;
/// then each script is sent in checked lines, run once at most, and its reply fetched in checked
/// frames. Used by one thread; all calls block it until their deadline at most.
package final class ConsoleChannel {
  package let link: any ByteLink
  package internal(set) var counts = ConsoleCounts()
  /// Whether an agent answers, as far as is known.
  package internal(set) var isOpen = false
  /// The board's tools among those that the agent asked for.
  package internal(set) var tools: Set<String> = []
  /// Where the agent keeps its files on the board.
  package internal(set) var directory = ""
  /// Whether root has logged in; nil: not asked yet.
  var isRoot: Bool?
  /// Commands that were started beside the agent, so far.
  var jobs = 0
  /// How often scripts that were left running have called.
  var calls = 0
  /// Whether a loader was typed that may wait for its agent.
  var isLoading = false

  /// Bytes of output that come in one frame, and the least that a piece of more output has.
  static let short = 480
  /// Linux takes arguments of up to 128 KiB.
  static let scriptLimit = 120_000
  /// Bytes of a stream that a failure shows of a command that was ended.
  static let partialLimit = 16_384

  package private(set) var session = ""
  private(set) var request = ConsoleRequest(session: "", check: .cksum)
  private var decoder = ConsoleDecoder(session: "", check: .cksum)
  /// When the board was heard last.
  let heard = LastHeard()
  private var events: [ConsoleDecoder.Event] = []
  private var nextEvent = 0
  /// The last bytes that came, to be searched for prompts.
  private(set) var tail: [UInt8] = []
  /// Of the last command.
  private(set) var id: UInt32 = 0
  private(set) var boot = BootWatch()
  /// Whether lines are sent slowly, because the board loses what comes at full speed.
  private var isPaced = false
  /// Bytes of a piece, as the line bears them.
  var pieceSize = 480

  /// Creates a channel; nothing is sent yet.
  package init(_ link: any ByteLink) { self.link = link }

  // MARK: The line

  /// Seconds that so many bytes take.
  func transit(_ bytes: Int) -> Double {
    Double(bytes) * 10 / Double(link.bitsPerSecond ?? 115_200)
  }

  /// How long an answer of so many bytes may take before the board is asked again.
  func answerTime(_ bytes: Int) -> Double { 0.5 + 2 * transit(bytes + 120) }

  /// - Throws: `connectionLost` once the board was seen to start anew: a key would keep its boot
  ///   loader from booting.
  func send(_ bytes: [UInt8], until deadline: Deadline) throws(ConnectionFailure) {
    guard !boot.hasBegun else { throw lost("it has restarted") }
    counts.bytesSent += bytes.count
    guard isPaced else { return try link.write(bytes, until: deadline) }
    // A UART without flow control has room for 16 bytes while its driver is busy elsewhere.
    var rest = bytes[...]
    while !rest.isEmpty {
      try link.write(Array(rest.prefix(16)), until: deadline)
      rest = rest.dropFirst(16)
      _ = deadline.limited(toSeconds: max(0.002, 1.5 * transit(16))).wait()
    }
  }

  /// The next event; nil when the deadline passed or was interrupted.
  func next(until deadline: Deadline) throws(ConnectionFailure) -> ConsoleDecoder.Event? {
    while nextEvent >= events.count {
      nextEvent = 0
      var bytes: [UInt8] = []
      guard try link.read(into: &bytes, until: deadline) else {
        events = []
        return nil
      }
      note(bytes)
      events = decoder.append(bytes)
      for case .damaged in events { counts.damagedFrames += 1 }
      if !events.isEmpty { heard.note() }
      calls += events.count { $0 == .call }
    }
    nextEvent += 1
    return events[nextEvent - 1]
  }

  func note(_ bytes: [UInt8]) {
    counts.bytesReceived += bytes.count
    tail.append(contentsOf: bytes)
    if tail.count > 8192 { tail.removeFirst(tail.count - 4096) }
    boot.append(bytes)
  }

  /// Begins a session: only its own frames count from now on.
  func begin(_ session: String, _ check: ConsoleCheck) {
    self.session = session
    request = ConsoleRequest(session: session, check: check)
    decoder = ConsoleDecoder(session: session, check: check)
    (events, nextEvent, id) = ([], 0, 0)
    boot = BootWatch()
  }

  /// Takes over bytes that were read before the session's frames were expected.
  func replay(_ bytes: [UInt8]) {
    events = events.dropFirst(nextEvent) + decoder.append(bytes)
    nextEvent = 0
  }

  // MARK: Commands

  /// Runs a script in a shell of its own on the board, once at most.
  ///
  /// - Parameters:
  ///   - input: what the script reads; nothing when nil.
  ///   - limit: bytes of a stream beyond which the rest stays on the board.
  ///   - grace: seconds between SIGTERM and SIGKILL for a script that must be ended.
  /// - Throws: `timedOut` and `interrupted` with the partial output, the script and its children
  ///   ended; `connectionLost` when the board does not answer: then it is not known whether the
  ///   script ran, and the channel is closed.
  package func run(
    _ script: [UInt8], input: [UInt8]? = nil, limit: Int = .max, grace: Double = 2,
    until deadline: Deadline
  ) throws(ConnectionFailure) -> ConsoleReply {
    guard isOpen else { throw lost("no agent runs on the board") }
    guard script.count < ConsoleChannel.scriptLimit, !script.contains(0) else {
      throw ConnectionFailure(
        .unsupported, "\(link.name): a script of over 120,000 bytes, or with a NUL",
        hint: "let the script read what is large from its input")
    }
    try check(deadline)
    id += 1
    counts.commands += 1
    let lines = request.command(
      id, script: script, input: input, base64: tools.contains("base64"))
    let begin = MonotonicTime.now
    do throws(ConnectionFailure) {
      for line in lines { try send(line, until: deadline) }
      let bytes = lines.reduce(0) { $0 + $1.count }
      guard let ended = try ending(of: lines, Waiting(answerTime(bytes)), until: deadline) else {
        throw lost("it forgot a command")
      }
      return try whole(ended, limit: limit, until: deadline)
    } catch {
      switch error.code {
      case .interrupted where deadline.isLost:
        isOpen = false
        throw .boardIsLost
      case .timedOut, .interrupted:
        let partial = try end(grace: grace)
        throw ConnectionFailure(
          error.code, error.message, hint: error.hint,
          partial: partial.map { $0.result(since: begin) })
      // The board has answered.
      case .system: throw error
      default:
        // The command may still run, and would spoil the next one's files.
        isOpen = false
        throw error
      }
    }
  }

  /// Runs a script given as text.
  package func run(
    _ script: String, input: [UInt8]? = nil, limit: Int = .max, until deadline: Deadline
  ) throws(ConnectionFailure) -> ConsoleReply {
    try run(Array(script.utf8), input: input, limit: limit, until: deadline)
  }

  /// Waits until a command has ended, whatever is lost; nil when the board has not begun it and
  /// `lines` are not its own.
  func ending(
    of lines: [[UInt8]], _ waiting: Waiting, isOwn: Bool = true, until deadline: Deadline
  ) throws(ConnectionFailure) -> ConsoleFrame.Message? {
    var wait = waiting
    // Whether the board has said that it has the lines.
    var isTaken = false
    while true {
      guard let event = try next(until: wait.deadline(within: deadline)) else {
        try check(deadline)
        try ask(&wait, until: deadline)
        continue
      }
      switch event {
      case .call: break
      case .damaged: wait.hasten(0.02 + transit(200), isDamage: true)
      case .frame(let frame) where frame.id == 0:
        if frame.message == .bye { throw lost("its agent has ended") }
        guard frame.message == .refused, !isTaken else { continue }
        wait.refused()
        if lines.count == 1, wait.refusals <= 3 {
          try resend([0], of: lines, &wait, until: deadline)
        } else {
          wait.hasten(0.02)
        }
      case .frame(let frame) where frame.id == id:
        wait.answered()
        switch frame.message {
        case .reply, .long:
          if wait.losses == 0, lines.count > 3 { request.room = min(400, request.room + 20) }
          return frame.message
        case .running:
          wait.runs()
          isTaken = isTaken || isOwn
          // It answers, but has not done what it was told.
          if !isTaken { try resend([0], of: lines, &wait, until: deadline) }
        case .missing(let numbers):
          guard isOwn else { return nil }
          wait.losses += 1
          if numbers.count * 4 >= lines.count { request.room = max(100, request.room / 2) }
          // What is lost again and again is lost to a receiver that is too slow.
          if wait.losses == 6 { isPaced = true }
          try resend(numbers, of: lines, &wait, until: deadline)
        case .unknown:
          guard isOwn else { return nil }
          try resend(Array(lines.indices), of: lines, &wait, until: deadline)
        case .evaluated:
          isTaken = true
          wait.hasten(0.05)
        case .full:
          throw ConnectionFailure(
            .system(.noSpace), "\(link.name): the board had no room or memory for a command",
            hint: "free some of the board's memory and memory file systems")
        case .past: throw lost("it has seen commands of another channel")
        default: break
        }
      case .frame: break
      }
    }
  }

  /// The reply that an end announces.
  func whole(
    _ message: ConsoleFrame.Message, limit: Int, until deadline: Deadline
  ) throws(ConnectionFailure) -> ConsoleReply {
    switch message {
    case .reply(let status, let output, let error):
      return ConsoleReply(status: status, output: output, error: error)
    case .long(let status, let outputCount, let errorCount, let outputCheck, let errorCheck):
      var reply = ConsoleReply(status: status, outputCount: outputCount, errorCount: errorCount)
      reply.output = try fetch(
        .output, count: outputCount, check: outputCheck, limit: limit, until: deadline)
      reply.error = try fetch(
        .error, count: errorCount, check: errorCheck, limit: limit, until: deadline)
      return reply
    default: throw lost("it answered out of turn")
    }
  }

  private func ask(_ wait: inout Waiting, until deadline: Deadline) throws(ConnectionFailure) {
    guard !wait.isHopeless else { throw lost(lastSeen) }
    let inPieces = wait.damages > 3
    if inPieces { pieceSize = ConsoleChannel.smallestPiece }
    counts.queries += 1
    // The newline ends what an earlier loss left unended.
    try send([10] + request.query(id, inPieces: inPieces), until: deadline)
    wait.asked(answerTime(ConsoleChannel.short))
  }

  private func resend(
    _ numbers: [Int], of lines: [[UInt8]], _ wait: inout Waiting, until deadline: Deadline
  ) throws(ConnectionFailure) {
    for number in numbers where lines.indices.contains(number) {
      counts.resentLines += 1
      try send(lines[number], until: deadline)
    }
    wait.sent(answerTime(numbers.count * 500 + ConsoleChannel.short))
  }

  // MARK: Failures

  func check(_ deadline: Deadline) throws(ConnectionFailure) {
    if deadline.isInterrupted { throw ConnectionFailure(.interrupted, "\(link.name): stopped") }
    if deadline.hasPassed {
      throw ConnectionFailure(.timedOut, "\(link.name): the command took too long; it was ended")
    }
  }

  func lost(_ why: String) -> ConnectionFailure {
    ConnectionFailure(
      .connectionLost, "\(link.name): the board does not answer: \(why)",
      hint: "'kelvin bench console' shows what it says")
  }

  /// What the board says instead of answering.
  var lastSeen: String {
    let last = ConsoleText.lastLine(of: tail)
    guard !last.isEmpty else { return "it says nothing" }
    return "its last line is '\(String(decoding: last.prefix(80), as: UTF8.self))'"
  }
}
