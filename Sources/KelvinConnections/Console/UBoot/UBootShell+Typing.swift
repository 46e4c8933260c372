internal import KelvinModel

/// Lines that are typed and read back, so that none is run that is not what was meant.
extension UBootShell {
  /// Brings the prompt to an empty line, unless it is known to be there.
  func beReady(until deadline: Deadline) throws(ConnectionFailure) {
    var attempt = 0
    while !isFresh {
      // Nothing stays half-typed for others to finish.
      if deadline.isInterrupted || deadline.hasPassed {
        try? send([UBootShell.interrupt], until: .after(seconds: 1))
        try check(deadline)
      }
      guard attempt < 40 else { throw lost("its prompt does not come back") }
      heard = []
      try send([UBootShell.interrupt], until: deadline)
      let mark = [10] + prompt
      let wait = patience(attempt)
      isFresh = try gather(quiet: wait, limit: 2 * wait, until: deadline) {
        self.heard.firstRange(of: mark) != nil
      }
      if hasLeft { throw lost("it has restarted") }
      attempt += 1
    }
  }

  /// Types a line without Enter; false unless it stands there exactly so.
  ///
  /// Its echo is one reading of it. Where the editor works, Ctrl-A moves back over all of it and
  /// Ctrl-E prints all of it again (cread_line() in common/cli_readline.c), as often as one likes: two
  /// clean readings are wanted, so that no line passes that was damaged on its way and whose damaged
  /// echo looks right.
  func type(
    _ line: [UInt8], _ attempt: Int, until deadline: Deadline
  ) throws(ConnectionFailure) -> Bool {
    isFresh = false
    heard = []
    // A receiver that is too slow for a whole line may bear it in pieces.
    let size = attempt == 0 ? line.count : 16
    var sent = 0
    var isClean = true
    while sent < line.count, isClean || isEditing {
      let piece = line[sent..<min(sent + size, line.count)]
      try send(Array(piece), until: deadline)
      sent += piece.count
      if isClean {
        isClean = try comes(line[..<sent], patience(attempt), until: deadline)
      } else {
        try gather(quiet: 0.05 + transit(32), limit: 0.5, until: deadline)
      }
    }
    if !isClean { noteRetry() }
    guard isEditing else { return isClean }
    var readings = isClean ? 1 : 0
    let expected = [UInt8](repeating: 8, count: line.count) + line
    for reading in 0..<4 {
      if readings <= reading { try settle(until: deadline) }
      heard = []
      try send([UBootShell.lineStart, UBootShell.lineEnd], until: deadline)
      if try comes(expected[...], patience(attempt), until: deadline) { readings += 1 }
      if readings == 2 { return true }
      if readings == 0 { break }
    }
    noteRetry()
    return false
  }

  /// Waits until what is still under way has come.
  private func settle(until deadline: Deadline) throws(ConnectionFailure) {
    try gather(quiet: 0.05 + transit(64), limit: 1, until: deadline)
  }

  private func noteRetry() {
    isNoisy = true
    retypedLines += 1
  }

  /// How long an answer is waited for: on far lines longer, after some tries.
  func patience(_ attempt: Int) -> Double { 0.5 * Double(1 << min(attempt / 2, 3)) }

  /// Whether exactly these bytes come, whatever whole lines of others stand between them.
  func comes(
    _ expected: ArraySlice<UInt8>, _ seconds: Double, until deadline: Deadline
  ) throws(ConnectionFailure) -> Bool {
    let limit = deadline.limited(toSeconds: seconds + 2 * transit(expected.count))
    var reading = EchoReading(of: expected)
    reading.append(heard)
    while !reading.isComplete {
      if !reading.isInOrder {
        let place = zip(expected, heard).prefix { $0 == $1 }.count
        if place < heard.count, heard[place] == 7 { try noteBell(at: place) }
      }
      let count = heard.count
      // A stranger's line comes at once as a whole; what does not end so is damage.
      let pause = reading.isInOrder ? limit : limit.limited(toSeconds: 0.05 + transit(96))
      guard try hear(until: pause) else { return false }
      reading.append(heard[count...])
    }
    return true
  }
}
