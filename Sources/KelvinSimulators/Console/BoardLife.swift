internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// One boot of a board.
struct BoardLife {
  let settings: BoardConsole.Settings
  let terminal: BoardTerminal
  let path: String
  let boots: Int
  /// Interrupted by a restart.
  let deadline: Deadline
  let report: @Sendable (String) -> Void
  let note: (BoardProcess?) -> Void

  /// Until a restart.
  func run() {
    if settings.neverBoots {
      while terminal.line(until: deadline) != nil {}
      return
    }
    if settings.boots || boots > 0 {
      report("board: boots")
      guard load(), boot() else { return }
    }
    var isFirst = true
    while !deadline.isInterrupted, !terminal.isGone {
      if let login = settings.login {
        guard logIn(login, asksTwice: isFirst && settings.asksTwice) else { return }
      }
      isFirst = false
      runShell()
    }
  }

  // MARK: Booting

  private func say(_ text: String) -> Bool { terminal.say(text, until: deadline) }

  private func pause(_ seconds: Double) -> Bool {
    deadline.limited(toSeconds: seconds).wait() == .passed
  }

  /// A boot loader as U-Boot looks; false when the board is to start anew.
  private func load() -> Bool {
    guard settings.countdown > 0 else { return true }
    terminal.readKeys()
    guard say("\nU-Boot 2023.01 (Jan 01 2023 - 00:00:00 +0000)\n\nDRAM:  512 MiB\n") else {
      return false
    }
    guard say("Hit any key to stop autoboot: \(BoardText.two(settings.countdown)) ") else {
      return false
    }
    for rest in (0..<settings.countdown).reversed() {
      let key = terminal.line(until: deadline.limited(toSeconds: 1))
      if deadline.isInterrupted { return false }
      if key != nil { return prompt() }
      guard say("\u{8}\u{8}\u{8}\(BoardText.two(rest)) ") else { return false }
    }
    return say("\n")
  }

  private func prompt() -> Bool {
    terminal.reset()
    while say("\n=> "), let line = terminal.line(until: deadline) {
      let word = line.split(separator: " ").first ?? ""
      if word == "boot" { return true }
      if word == "reset" {
        _ = say("resetting ...\n")
        return false
      }
      guard word.isEmpty || say("Unknown command '\(word)' - try 'help'\n") else { return false }
    }
    return false
  }

  private func boot() -> Bool {
    terminal.readKeys()
    let seconds = settings.bootSeconds ?? 1
    let lines = BoardText.kernel
    let isPanic = boots < settings.panics
    guard say("Starting kernel ...\n\n") else { return false }
    for (index, line) in lines.enumerated() {
      let time = seconds * Double(index) / Double(lines.count)
      if isPanic, index == lines.count * 2 / 3 {
        guard say(BoardText.panic(time)) else { return false }
        report("board: panics")
        // The kernel's own wait before it restarts (panic=1).
        _ = pause(1)
        return false
      }
      guard say(BoardText.stamped(time, line)), pause(seconds / Double(lines.count)) else {
        return false
      }
    }
    return true
  }

  func sayPanic() {
    report("board: panics")
    let soon = Deadline.after(seconds: 1)
    if terminal.say(BoardText.panic(100), until: soon) { _ = soon.wait() }
  }

  // MARK: Running

  /// A getty and a login: true once somebody has logged in.
  private func logIn(_ login: BoardConsole.Login, asksTwice: Bool) -> Bool {
    var isAskedAgain = asksTwice
    while true {
      terminal.reset()
      guard say("\nboard login: "), let user = terminal.line(until: deadline) else { return false }
      if user.isEmpty { continue }
      var password: String?
      if login.password != nil {
        terminal.reset(echoes: false)
        guard say("Password: ") else { return false }
        password = terminal.line(until: deadline)
        terminal.reset()
        guard password != nil, say("\n") else { return false }
      }
      guard user == login.user, password == login.password else {
        // As login(1) does, so that nobody tries many.
        guard pause(0.5), say("\nLogin incorrect\n") else { return false }
        continue
      }
      if isAskedAgain {
        isAskedAgain = false
        continue
      }
      return say("Last login: Thu Nov 26 02:44:01 on ttyS0\n")
    }
  }

  private func runShell() {
    terminal.reset()
    let began = MonotonicTime.now
    do {
      let process = try BoardProcess(
        settings.program, settings.arguments, terminal: path, environment: settings.environment,
        directory: settings.directory)
      note(process)
      report("board: runs \(settings.program) (\(process.processID))")
      _ = deadline.wait(for: process.ended)
      note(nil)
      process.end()
    } catch {
      report("board: \(error)")
    }
    // As init does with what ends at once again and again.
    if MonotonicTime.now - began < 1_000_000_000 { _ = pause(1) }
  }
}
