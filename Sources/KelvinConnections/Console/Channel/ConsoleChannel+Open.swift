package import KelvinModel

extension ConsoleChannel {
  /// Puts the agent in the place of a shell that waits at its prompt, whatever the prompt is; in the
  /// place of an agent that an earlier life left, too.
  ///
  /// - Throws: `unsupported` when the board lacks a tool or a place for files; `timedOut` when no
  ///   shell took the loader.
  package func open(until deadline: Deadline) throws(ConnectionFailure) {
    guard !isOpen else { return }
    var attempt = 0
    while true {
      try checkOpening(deadline)
      begin(ConsoleChannel.newSession(), .cksum)
      // Ends a line, a program, or an earlier agent or loader; a shell takes the dot for nothing.
      if attempt > 0 || !tail.isEmpty {
        try send([0x15, 0x03, 10, UInt8(ascii: "."), 10], until: deadline)
      }
      let isPacked = attempt < 2
      if try load(
        isPacked, deadline.limited(toSeconds: 4 + 3 * Double(attempt) + 4 * transit(4000)))
      {
        isOpen = true
        return
      }
      attempt += 1
    }
  }

  /// One try: false when it led to nothing.
  ///
  /// - Parameter isPacked: whether the agent comes in few long lines, each of which costs the board some
  ///   processes, or in short ones, of which more arrive where much is lost.
  private func load(_ isPacked: Bool, _ deadline: Deadline) throws(ConnectionFailure) -> Bool {
    let loader = ConsoleAgent.loader(session: session)
    isLoading = true
    try send(Array((loader + "\n").utf8), until: deadline)
    var reader = LoaderReader(session: session)
    let greeting = deadline.limited(toSeconds: 1.5 + 3 * transit(2 * loader.utf8.count))
    while reader.check == nil {
      guard try read(&reader, until: greeting), !greeting.hasPassed else { return false }
    }
    guard let check = reader.check else { return false }
    begin(session, check)
    let source = ConsoleAgent.source(session: session, short: ConsoleChannel.short)
    let lines = ConsoleAgent.lines(
      isPacked ? ConsoleAgent.packed(source) : source, check: check)
    guard try transfer(lines.dropLast(), &reader, until: deadline), let last = lines.last else {
      return false
    }
    for attempt in 0..<4 {
      // Once the agent runs, it takes this line for a damaged one, and greets when it is asked to.
      try send(last + [10] + (attempt > 0 ? request.hello() : []), until: deadline)
      let patience = deadline.limited(toSeconds: answerTime(400))
      replay(reader.rest)
      reader.rest = []
      while let event = try next(until: patience) {
        guard case .frame(let frame) = event,
          case .hello(let word, let directory, let tools) = frame.message
        else { continue }
        guard word == ConsoleAgent.word(of: source, check: check) else { return false }
        try accept(directory, tools, until: deadline)
        return true
      }
    }
    return false
  }

  /// Whether so many lines may be on their way at once: a terminal keeps 4,095 bytes that nobody has read
  /// yet, and drops what is more.
  private func isWithinWindow(_ lines: ArraySlice<[UInt8]>) -> Bool {
    lines.count <= 8 && lines.reduce(0) { $0 + $1.count + 1 } <= 1600
  }

  /// Sends the agent's lines, some ahead of the loader, and again from the first that it lacks.
  private func transfer(
    _ lines: ArraySlice<[UInt8]>, _ reader: inout LoaderReader, until deadline: Deadline
  ) throws(ConnectionFailure) -> Bool {
    var next = 0
    // Every line that arrives is answered; how many answers are due.
    var due = 0
    var failures = 0
    while reader.count < lines.count {
      while next < lines.count,
        next == reader.count || isWithinWindow(lines[reader.count...next])
      {
        try send(lines[next] + [10], until: deadline)
        next += 1
        due += 1
      }
      // Other lines may come all the time; only the loader's own count.
      let patience = deadline.limited(toSeconds: answerTime(1000))
      let answers = reader.answers
      while reader.answers == answers, try read(&reader, until: patience), !patience.hasPassed {}
      let isAnswered = reader.answers > answers
      if deadline.hasPassed || deadline.isInterrupted { return false }
      guard !isAnswered || reader.answers >= due, reader.count < lines.count else { continue }
      if isAnswered, reader.count == next { continue }
      failures += 1
      guard failures < 200 else { return false }
      if !isAnswered {
        // What was lost may have been a newline.
        try send([10], until: deadline)
        try drain(&reader)
      }
      next = reader.count
      due = reader.answers
    }
    return true
  }

  /// Takes the answers that are on their way, so that none is taken for one of a later line.
  private func drain(_ reader: inout LoaderReader) throws(ConnectionFailure) {
    let end = Deadline.after(seconds: 0.05 + transit(500))
    while try read(&reader, until: end), !end.hasPassed {}
  }

  private func read(
    _ reader: inout LoaderReader, until deadline: Deadline
  ) throws(ConnectionFailure) -> Bool {
    var bytes: [UInt8] = []
    guard try link.read(into: &bytes, until: deadline) else { return false }
    note(bytes)
    reader.append(bytes)
    return true
  }

  private func accept(
    _ directory: String, _ tools: Set<String>, until deadline: Deadline
  ) throws(ConnectionFailure) {
    self.tools = tools
    self.directory = directory
    let missing = ConsoleAgent.needed.subtracting(tools).sorted()
    let problem: (what: String, hint: String)? =
      if directory == "-" {
        ("no directory can be written", "mount a tmpfs on /tmp or /run")
      } else if !missing.isEmpty {
        ("there is no \(missing.joined(separator: ", no "))", "busybox has it as an applet")
      } else if tools.isDisjoint(with: ["base64", "od", "hexdump"]) {
        ("there is no base64, od or hexdump", "busybox has each as an applet")
      } else {
        nil
      }
    guard let problem else { return }
    isOpen = true
    close(until: deadline)
    throw ConnectionFailure(
      .unsupported, "\(link.name): commands need more than the board has: \(problem.what)",
      hint: problem.hint)
  }

  private func checkOpening(_ deadline: Deadline) throws(ConnectionFailure) {
    if deadline.isInterrupted { throw ConnectionFailure(.interrupted, "\(link.name): stopped") }
    guard deadline.hasPassed else { return }
    throw ConnectionFailure(
      .timedOut, "\(link.name): no shell took commands in time; \(lastSeen)",
      hint: "'kelvin bench console' shows what the board says")
  }

  /// Four characters that no earlier session on the board is likely to have had.
  private static func newSession() -> String {
    let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    var generator = SystemRandomNumberGenerator()
    return String(
      (0..<4).map { _ in letters[Int.random(in: letters.indices, using: &generator)] })
  }
}

/// Reads what the loader says: `@SSSS=TOOL`, then `@SSSSNUMBER=NUMBER` after each line. Pure.
struct LoaderReader {
  private let marker: [UInt8]
  private(set) var check: ConsoleCheck?
  /// Lines that the loader has, and how often it has said so.
  private(set) var count = 0
  private(set) var answers = 0
  /// The line that has not ended yet.
  var rest: [UInt8] = []

  init(session: String) { marker = [UInt8(ascii: "@")] + session.utf8 }

  mutating func append(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      guard byte == 10 else {
        rest.append(byte)
        if rest.count > 16_384 { rest.removeFirst(8192) }
        continue
      }
      read(rest)
      rest = []
    }
  }

  /// The echo of the loader holds the marker as well, but with no number and no tool behind it.
  private mutating func read(_ line: [UInt8]) {
    for start in line.indices where line[start...].starts(with: marker) {
      let word = line[(start + marker.count)...].prefix { $0 != 13 && $0 != UInt8(ascii: " ") }
      if word.first == UInt8(ascii: "=") {
        check = check ?? ConsoleCheck(rawValue: String(decoding: word.dropFirst(), as: UTF8.self))
        continue
      }
      // Said twice, since noise may stand right behind a number, and digits be lost or doubled.
      let parts = word.split(separator: UInt8(ascii: "="), omittingEmptySubsequences: false)
      if parts.count == 2, parts[0].elementsEqual(parts[1]),
        let number: Int = ConsoleFrame.Words.number(parts[0]), number >= count, number < 1000
      {
        answers += 1
        count = number
      }
    }
  }
}
