package import KelvinModel

/// The way to U-Boot's prompt, from whatever the board does.
extension UBootShell {
  /// What is known of the board, and what may be done to it.
  package enum Start: Sendable, Hashable {
    /// It may be doing anything. A boot that has begun is left alone.
    case asItIs
    /// The same, but a boot that has begun is stopped.
    case stoppingAutoboot
    /// It was reset or powered just now: its countdown will come, and is stopped.
    case afterReset
  }

  /// Reaches the prompt, and learns what it looks like.
  ///
  /// No key is sent before a countdown that is to be stopped has begun, nor while one may be going on
  /// that is not.
  ///
  /// - Throws: `unsupported`: the board runs Linux, or boots; `timedOut`: it says nothing, or nothing
  ///   that is a prompt of U-Boot; `connectionLost`, `interrupted`.
  package func reach(
    _ start: Start = .asItIs, until deadline: Deadline
  ) throws(ConnectionFailure) {
    watch = UBootWatch()
    try arrive(start, until: deadline)
  }

  /// Reaches the prompt by what has been seen already.
  func arrive(_ start: Start, until deadline: Deadline) throws(ConnectionFailure) {
    (isOpen, isFresh, isEditing, prompt) = (false, false, false, options.prompt ?? [])
    heard = []
    try listen(start, until: deadline)
    var prompts: [[UInt8]] = options.prompt.map { [$0, $0] } ?? []
    var strangers = 0
    var attempt = 0
    while true {
      try checkArrival(deadline)
      if watch.hasKernel || asksForLogin { throw runsLinux }
      if watch.isCounting {
        guard start != .asItIs else { throw boots }
        try stopAutoboot(until: deadline)
      }
      heard = []
      try send([UBootShell.interrupt], until: deadline)
      try gather(quiet: patience(attempt) / 2, limit: 1, until: deadline) {
        self.contains("INTERRUPT>", in: self.heard)
      }
      try gather(quiet: 0.05, limit: 0.3, until: deadline)
      attempt += 1
      if asksForLogin { throw runsLinux }
      guard !watch.isCounting, try listens(patience(attempt), until: deadline) else { continue }
      switch try identify(attempt, until: deadline) {
      case .damaged:
        // What was typed was taken for a name.
        if asksForLogin { throw runsLinux }
      case .stranger:
        strangers += 1
        if strangers == 2 { throw runsLinux }
      case .uboot(let parser, let version, let prompt):
        prompts.append(prompt)
        guard prompts.filter({ $0 == prompts.first }).count >= 2 || prompts.count > 2 else {
          continue
        }
        guard let known = options.prompt ?? mostOften(prompts) else { continue }
        (self.parser, self.version, self.prompt) = (parser, version, known)
        (isOpen, watch) = (true, UBootWatch())
        return
      }
    }
  }

  private func mostOften(_ prompts: [[UInt8]]) -> [UInt8]? {
    prompts.first { one in prompts.count { $0 == one } >= 2 }
  }

  // MARK: Listening

  /// Waits until keys can be sent: nothing counts down, or what counted down is stopped.
  private func listen(_ start: Start, until deadline: Deadline) throws(ConnectionFailure) {
    let begin = MonotonicTime.now
    var last = begin
    while true {
      try checkArrival(deadline)
      if watch.hasKernel { throw runsLinux }
      if watch.countdown != nil {
        guard start != .asItIs else { throw boots }
        return try stopAutoboot(until: deadline)
      }
      let isBooting = watch.hasBanner || watch.hasRestarted
      // A boot loader that counts down says so each second; before that it may work a while.
      let pause = isBooting ? 4.0 : 1.5
      if try hear(until: deadline.limited(toSeconds: pause)) {
        last = .now
        if heard.count > 65_536 { heard.removeFirst(32_768) }
        // What comes all the time is no boot loader's.
        if !isBooting, start != .afterReset, .now - begin > 3_000_000_000 { return }
        continue
      }
      if start == .afterReset, !isBooting { continue }
      if .now - last >= Int64(pause * 0.9e9) { return }
    }
  }

  /// Sends the keys that stop autoboot, until it has stopped or gone on.
  private func stopAutoboot(until deadline: Deadline) throws(ConnectionFailure) {
    // The line may not be whole yet.
    try gather(quiet: 0.08, limit: 0.3, until: deadline)
    let line = watch.countdown ?? []
    guard let keys = options.stopKeys ?? UBootWatch.stopKeys(line) else {
      throw ConnectionFailure(
        .unsupported, "\(link.name): the boot loader does not say which keys stop its countdown",
        evidence: String(decoding: ConsoleText.visible(line), as: UTF8.self),
        hint: "give them as 'stop-keys' of the board's 'bootloader'")
    }
    for _ in 0..<6 {
      try checkArrival(deadline)
      heard = []
      try send(keys, until: deadline)
      // Stopped or over, the line ends; while it counts it moves the cursor back each second.
      let hasEnded = try gather(quiet: 1.1, limit: 1.3, until: deadline) { self.heard.contains(10) }
      if hasEnded { break }
    }
    try gather(quiet: 0.3, limit: 1.5, until: deadline)
  }

  /// Whether a getty or login is there.
  private var asksForLogin: Bool {
    ConsoleText.visible(heard.suffix(2048)).split { $0 == 10 || $0 == 13 }.suffix(6).contains {
      var text = String(decoding: $0, as: UTF8.self).lowercased()
      while text.last == " " { text.removeLast() }
      return text.hasSuffix("login:") || text.hasSuffix("password:")
    }
  }

  // MARK: Who is there

  private enum Identity { case uboot(Parser, version: String, prompt: [UInt8]), stranger, damaged }

  /// Has the shell that listens say who it is, by a line that harms none.
  private func identify(
    _ attempt: Int, until deadline: Deadline
  ) throws(ConnectionFailure) -> Identity {
    try clear(attempt, until: deadline)
    let nonce = String((0..<6).map { _ in "abcdefghijklmnopqrstuvwxyz".randomElement() ?? "a" })
    let line = Array("version;echo Kp\"\(nonce)\"$?.$?.".utf8)
    isEditing = false
    guard try type(line, attempt, until: deadline) else { return .damaged }
    heard = []
    try send([UBootShell.lineStart], until: deadline)
    let left = [UInt8](repeating: 8, count: line.count)
    let isLeft = try comes(left[...], patience(attempt) / 2, until: deadline)
    let back = heard.count { $0 == 8 }
    if isLeft {
      isEditing = true
      heard = []
      try send([UBootShell.lineEnd], until: deadline)
      guard try comes(line[...], patience(attempt), until: deadline) else { return .damaged }
    } else if back > 2 {
      return .damaged
    } else {
      // The key may have become a character of the line.
      try clear(attempt, until: deadline)
      guard try type(line, attempt, until: deadline) else { return .damaged }
    }
    heard = []
    try send([13], until: deadline)
    return try identity(nonce, attempt, until: deadline)
  }

  /// Leaves an empty line, whoever has it.
  private func clear(_ attempt: Int, until deadline: Deadline) throws(ConnectionFailure) {
    heard = []
    try send([UBootShell.interrupt], until: deadline)
    try gather(quiet: patience(attempt) / 2, limit: 1, until: deadline) {
      self.contains("INTERRUPT>", in: self.heard)
    }
    try gather(quiet: 0.05, limit: 0.3, until: deadline)
  }

  /// Reads the answer to the question who is there.
  private func identity(
    _ nonce: String, _ attempt: Int, until deadline: Deadline
  ) throws(ConnectionFailure) -> Identity {
    let simple = Array("Kp\"\(nonce)\"$?.$?.\r\n".utf8)
    let head = Array("Kp\(nonce)".utf8)
    var end: Int?
    var found = Parser.hush
    try gather(quiet: patience(attempt + 1), limit: 4, until: deadline) {
      if let mark = self.heard.firstRange(of: simple) {
        (found, end) = (.simple, mark.upperBound)
      } else if let mark = self.heard.firstRange(of: head) {
        let rest = self.heard[mark.upperBound...].prefix { $0 != 10 }
        let answer = rest.filter { $0 != 13 }
        let half = Array(answer.prefix(answer.count / 2))
        if !half.isEmpty, answer == half + half, self.heard.count > rest.endIndex {
          end = rest.endIndex + 1
        }
      }
      return end != nil
    }
    guard let end else { return .damaged }
    // The prompt comes with it. Where others talk all the time, there is less of them in less time.
    try gather(quiet: (attempt < 4 ? 0.15 : 0.03) + transit(64), limit: 0.6, until: deadline)
    let text = heard[..<end]
    guard let name = text.firstRange(of: Array("U-Boot ".utf8)) else { return .stranger }
    let version = String(decoding: text[name.lowerBound...].prefix { $0 >= 32 }, as: UTF8.self)
    let prompt = Array(heard[end...].prefix { $0 != 10 && $0 != 13 })
    guard !prompt.isEmpty, prompt.count < 2000 else { return .damaged }
    return .uboot(found, version: version, prompt: prompt)
  }

  // MARK: Failures

  private func checkArrival(_ deadline: Deadline) throws(ConnectionFailure) {
    if deadline.isInterrupted { throw ConnectionFailure(.interrupted, "\(link.name): stopped") }
    guard deadline.hasPassed else { return }
    guard hasHeard else { throw link.saysNothing }
    throw ConnectionFailure(
      .timedOut, "\(link.name): U-Boot's prompt was not reached in time", evidence: lastWords,
      hint: "'kelvin bench console' shows what the board says")
  }

  private var runsLinux: ConnectionFailure {
    ConnectionFailure(
      .unsupported, "\(link.name): the board does not run U-Boot, but Linux or something else",
      evidence: lastWords,
      hint: "reset it and stop its autoboot: '--reset', or 'kelvin power cycle'")
  }

  private var boots: ConnectionFailure {
    ConnectionFailure(
      .unsupported, "\(link.name): the board is booting, and was left alone",
      evidence: lastWords, hint: "stop its autoboot: '--stop-autoboot', or '--reset'")
  }
}
