package import KelvinModel

/// Ways out of U-Boot.
extension UBootShell {
  /// Boots the board, by its `bootcmd` or another command, until a kernel starts; then the console is
  /// the kernel's, and a ``ConsoleSession`` can log in.
  ///
  /// - Returns: what U-Boot said.
  /// - Throws: `refused` when the command comes back, which means that it found nothing to boot;
  ///   `timedOut` when neither happens in time: then the command goes on.
  @discardableResult
  package func boot(
    _ command: String = "boot", until deadline: Deadline
  ) throws(ConnectionFailure) -> [UInt8] {
    let ending = try carryOut(Array(command.utf8), leaves: true, until: deadline)
    guard case .ended(let status, let output, _) = ending else { return heard }
    let text = String(decoding: output, as: UTF8.self)
    let words = text.split(separator: "\n").last.map(String.init) ?? ""
    throw ConnectionFailure(
      .refused(words),
      "\(link.name): '\(command)' came back\(status.map { " with status \($0)" } ?? ""): nothing was "
        + "booted", evidence: text)
  }

  /// Boots the board until its system asks for a login, or a shell's prompt waits; nothing is sent to it.
  ///
  /// - Throws: as ``boot(_:until:)``; `refused` when the kernel panics or the board starts anew before;
  ///   `timedOut` when nothing of that happens in time.
  package func bootSystem(
    _ command: String = "boot", until deadline: Deadline
  ) throws(ConnectionFailure) -> SystemWatch.End {
    try boot(command, until: deadline)
    var system = SystemWatch()
    system.append(heard)
    while true {
      switch system.end {
      case .panic(let words):
        throw ConnectionFailure(
          .refused(words), "\(link.name): the system did not come up: \(words)",
          evidence: lastWords,
          hint: "'kelvin bench console' shows all that it said")
      case .restart(let words):
        throw ConnectionFailure(
          .refused(words), "\(link.name): the board has started anew before its login: \(words)",
          evidence: lastWords, hint: "'kelvin bench console' shows all that it said")
      case .login, .shell: return .login
      case nil: break
      }
      let count = heard.count
      // A prompt is the last for a while; what is still being written goes on.
      let isAtPrompt = system.isAtPrompt
      if try hear(until: isAtPrompt ? deadline.limited(toSeconds: 2) : deadline) {
        system.append(heard[count...])
        if heard.count > 65_536 { heard.removeFirst(32_768) }
        continue
      }
      if deadline.isInterrupted {
        throw ConnectionFailure(.interrupted, "\(link.name): stopped while the system started")
      }
      if isAtPrompt { return .shell }
      guard deadline.hasPassed else { continue }
      throw ConnectionFailure(
        .timedOut,
        "\(link.name): a kernel has started, but there is no login and no shell's prompt in time",
        evidence: lastWords,
        hint: "does its command line name this console ('console=' in 'bootargs')? Or '--timeout'")
    }
  }

  /// Restarts the board by U-Boot's own `reset`, and returns when it has begun anew.
  ///
  /// - Parameter stopsAutoboot: whether the prompt is reached again; else the board boots.
  package func reset(
    stopsAutoboot: Bool, until deadline: Deadline
  ) throws(ConnectionFailure) {
    guard isOpen else { throw lost("its prompt has not been reached") }
    let line = Array("reset".utf8)
    for attempt in 0..<40 {
      try beReady(until: deadline)
      guard try type(line, attempt, until: deadline) else { continue }
      heard = []
      watch = UBootWatch()
      try send([13], until: deadline)
      isOpen = false
      if try hasRestarted(until: deadline) {
        if stopsAutoboot { try arrive(.afterReset, until: deadline) }
        return
      }
      isOpen = true
      isNoisy = true
    }
    throw lost("it does not reset")
  }

  /// Waits until the board starts anew; false when its prompt still listens.
  private func hasRestarted(until deadline: Deadline) throws(ConnectionFailure) -> Bool {
    while true {
      if watch.hasBanner || hasLeft || watch.countdown != nil { return true }
      if try hear(until: deadline.limited(toSeconds: 1)) { continue }
      try check(deadline)
      // The line's end came: a board may be silent for long while it starts.
      if heard.contains(10) || contains("reset", in: heard) { continue }
      if try listens(until: deadline) { return false }
    }
  }
}
