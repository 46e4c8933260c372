internal import KelvinModel

/// Ends of commands: found, asked for again, or brought about.
extension UBootShell {
  /// Waits until a command that was typed has ended.
  func ending(
    of line: UBootLine, leaves: Bool, until deadline: Deadline
  ) throws(ConnectionFailure) -> Ending {
    // Marks are no longer than that.
    let overlap = 96
    var scanned = 0
    var hasBegun = false
    var pause = 0.5 + transit(64)
    var lastProbe = MonotonicTime.now
    let promptLine = [10] + prompt
    while true {
      hasBegun = hasBegun || heard.prefix(4096).firstRange(of: line.begin) != nil
      if let end = line.end(in: heard, from: max(0, scanned - overlap)) {
        return try ended(line, end.range, end.status, until: deadline)
      }
      scanned = heard.count
      if watch.hasRestarted || watch.hasKernel {
        isOpen = false
        if leaves { return .left }
        throw lost("it has started anew, or something else")
      }
      // Something is wrong, or may be, where a mark is late; on a clean line a command that has begun
      // is hardly disturbed. What others say all the time must not keep it from being asked.
      let isDoubtful =
        !hasBegun || isNoisy || looksLikePrompt
        || heard.suffix(2048).firstRange(of: promptLine) != nil
      let seconds = isDoubtful ? pause : max(10, 4 * pause)
      let left = seconds - Double(.now - lastProbe) / 1e9
      let hasCome = try hear(until: deadline.limited(toSeconds: left))
      let isTime = MonotonicTime.now - lastProbe >= Int64(seconds * 1e9)
      if hasCome, !isTime, !deadline.hasPassed, !deadline.isInterrupted {
        // While it talks of itself, there is no hurry.
        if !isDoubtful { lastProbe = .now }
        continue
      }
      if watch.isCounting {
        isOpen = false
        if leaves { return .left }
        throw lost("it has restarted, and counts down")
      }
      if deadline.isInterrupted || deadline.hasPassed {
        if leaves { throw stillStarting(deadline) }
        throw try end(line, by: deadline)
      }
      // A prompt without a mark: the mark was lost, or the command did not run.
      let isAtPrompt = heard.suffix(promptLine.count).elementsEqual(promptLine)
      let seen = heard
      let isOver = isAtPrompt ? true : try listens(until: deadline)
      if isOver {
        return try memory(of: line, seen, until: deadline)
      }
      heard = seen + heard
      pause = min(8, pause * 2)
      lastProbe = .now
    }
  }

  /// Whether a line editor echoes what is typed: no command runs. What is typed is taken back.
  func listens(_ patience: Double = 0.4, until deadline: Deadline) throws(ConnectionFailure) -> Bool
  {
    isFresh = false
    heard = []
    let probe = Array("~#~#".utf8)
    try send(probe + [UBootShell.eraseLine], until: deadline)
    return try gather(quiet: patience, limit: 2 * patience, until: deadline) {
      self.heard.firstRange(of: probe.dropLast()) != nil
    }
  }

  /// Whether the last line may be a prompt that was damaged.
  private var looksLikePrompt: Bool {
    guard let last = heard.last, last != 10 else { return false }
    let count = heard.reversed().prefix(prompt.count + 4).prefix { $0 != 10 }.count
    return count <= prompt.count + 2
  }

  private func ended(
    _ line: UBootLine, _ mark: Range<Int>, _ status: Int32?, until deadline: Deadline
  ) throws(ConnectionFailure) -> Ending {
    let rest = [13, 10] + prompt
    let count = mark.upperBound + rest.count
    isFresh = try gather(quiet: 0.3, limit: 0.5, until: deadline.limited(toSeconds: 1)) {
      self.heard.count >= count
    }
    isFresh = isFresh && heard[mark.upperBound...].elementsEqual(rest)
    if !isFresh { isNoisy = true }
    let (output, hasBegin) = output(of: line, in: heard[..<mark.lowerBound])
    return .ended(status: status, output: output, isFramed: hasBegin)
  }

  /// Asks the board what became of a command whose mark did not come.
  ///
  /// - Parameter seen: what came since it was typed.
  private func memory(
    of line: UBootLine, _ seen: [UInt8], until deadline: Deadline
  ) throws(ConnectionFailure) -> Ending {
    guard line.isHush else {
      throw lost("the end of a command was lost; it is not known whether it ran")
    }
    switch try recall(line, until: deadline) {
    case .ended(let status):
      // Its damaged mark is no output, and neither is the prompt.
      var kept = seen[...]
      let mark = line.end(status) + [13, 10] + prompt
      let tail = kept.suffix(mark.count + 40)
      if let found = ApproximateSearch.find(mark, in: tail, errors: mark.count / 3) {
        kept = kept[..<(tail.startIndex + found.offset)]
      }
      return .ended(status: status, output: output(of: line, in: kept).bytes, isFramed: false)
    case .begun:
      throw ConnectionFailure(
        .badReply, "\(link.name): the command ended without a status", evidence: lastWords)
    case .notRun:
      if contains("syntax error", in: seen) { throw syntaxError }
      return .notRun
    }
  }

  private func recall(
    _ line: UBootLine, until deadline: Deadline
  ) throws(ConnectionFailure) -> UBootLine.Memory {
    for attempt in 0..<40 {
      try beReady(until: deadline)
      guard try type(UBootLine.query, attempt, until: deadline) else { continue }
      heard = []
      isFresh = false
      try send([13], until: deadline)
      let wait = patience(attempt)
      var memory: UBootLine.Memory?
      try gather(quiet: wait, limit: 2 * wait, until: deadline) {
        memory = line.memory(in: self.heard)
        return memory != nil
      }
      if let memory { return memory }
    }
    throw lost("it does not tell what became of a command")
  }

  // MARK: Deadlines

  /// Ends a command whose deadline has passed; gives the failure for it.
  private func end(
    _ line: UBootLine, by deadline: Deadline
  ) throws(ConnectionFailure) -> ConnectionFailure {
    let partial = output(of: line, in: heard[...]).bytes
    let now = MonotonicTime.now
    let result = CommandResult(
      termination: .signaled(2),
      standardOutput: CapturedOutput(
        bytes: partial, totalBytes: Int64(partial.count), keptBytes: Int64(partial.count)),
      standardError: CapturedOutput(), startTime: now, endTime: now)
    let isStopped = deadline.isInterrupted
    // Some commands look for Ctrl-C now and then only, and a list has several.
    let grace = Deadline.after(seconds: 8)
    var isBack = false
    var attempt = 0
    while !isBack, !grace.hasPassed {
      heard = []
      try send([UBootShell.interrupt], until: grace)
      try gather(quiet: 0.4, limit: 1, until: grace) { self.heard.last == self.prompt.last }
      if hasLeft { throw lost("it has restarted") }
      isBack = try listens(patience(attempt), until: grace)
      attempt += 1
    }
    guard isBack else {
      isOpen = false
      return ConnectionFailure(
        .timedOut,
        "\(link.name): the command took too long, and Ctrl-C does not end it; it still runs",
        hint: "reset the board: 'kelvin power cycle'", partial: result)
    }
    return isStopped
      ? ConnectionFailure(.interrupted, "\(link.name): stopped, by Ctrl-C", partial: result)
      : ConnectionFailure(
        .timedOut, "\(link.name): the command took too long; Ctrl-C has ended it", partial: result)
  }

  private func stillStarting(_ deadline: Deadline) -> ConnectionFailure {
    isOpen = false
    return ConnectionFailure(
      deadline.isInterrupted ? .interrupted : .timedOut,
      "\(link.name): neither a kernel has started nor has U-Boot come back", evidence: lastWords,
      hint: "'kelvin bench console' shows what the board does")
  }

  // MARK: Output

  /// What a command printed: the text after its first mark, or what is left of that.
  func output(
    of line: UBootLine, in text: ArraySlice<UInt8>
  ) -> (bytes: [UInt8], hasBegin: Bool) {
    let mark = line.begin + [13, 10]
    let head = text.prefix(400)
    var start = text.startIndex
    var hasBegin = false
    if let found = text.firstRange(of: mark) {
      (start, hasBegin) = (found.upperBound, true)
    } else if let found = ApproximateSearch.find(mark, in: head, errors: mark.count / 3) {
      start += found.offset + found.count
    } else if let newline = head.firstIndex(of: 10) {
      start = newline + 1
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.endIndex - start)
    for byte in text[start...] {
      // U-Boot's serial drivers put a CR before each LF.
      if byte == 10, bytes.last == 13 { bytes.removeLast() }
      bytes.append(byte)
    }
    return (bytes, hasBegin)
  }
}
