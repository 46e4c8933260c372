internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// What lives at the board's end of a console: a boot loader, a kernel's messages, a login, and a real
/// shell, over and over, on a thread of its own.
package final class BoardConsole: Sendable {
  /// What the board is.
  package struct Settings: Sendable {
    /// The program at the console, by its path, and what it is given.
    package var program: String
    package var arguments: [String]
    package var environment: [String: String] = [:]
    package var directory: String?
    /// Who may log in; nil: the shell is there at once.
    package var login: Login?
    /// How long the kernel's messages take; nil: it has booted before.
    package var bootSeconds: Double?
    /// Seconds that the boot loader counts down; any key stops it.
    package var countdown = 0
    /// Says nothing for ever.
    package var neverBoots = false
    /// How many boots end in a panic.
    package var panics = 0
    /// The first login is asked for again, although it was right.
    package var asksTwice = false

    package init(_ program: String, _ arguments: [String]) {
      self.program = program
      self.arguments = arguments
    }
  }

  /// A user of the simulated board. It guards nothing: the board is this machine.
  package struct Login: Sendable, Hashable {
    package var user: String
    /// Nil: none is asked for.
    package var password: String?

    package init(user: String, password: String? = nil) {
      self.user = user
      self.password = password
    }
  }

  /// Why a board starts anew.
  package enum Restart: Sendable { case reboot, panic }

  private let settings: Settings
  private let path: String
  private let report: @Sendable (String) -> Void
  private let ending = Interrupt()
  private let restarting = Mutex<(interrupt: Interrupt, why: Restart)>((Interrupt(), .reboot))
  private let shell = Mutex<BoardProcess?>(nil)
  private let thread = Mutex<NamedThread?>(nil)

  /// Begins to boot.
  ///
  /// - Parameters:
  ///   - terminal: the device file of the board's end.
  ///   - report: is told what happens.
  package init(
    _ settings: Settings, terminal path: String,
    report: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(PlainFailure) {
    self.settings = settings
    self.path = path
    self.report = report
    let terminal = try Terminal(BoardTerminal(path))
    let new = try NamedThread("board") { [self] in run(terminal.terminal) }
    thread.withLock { $0 = new }
  }

  /// Handed to the thread, and used there alone.
  private struct Terminal: @unchecked Sendable {
    let terminal: BoardTerminal
    init(_ terminal: BoardTerminal) { self.terminal = terminal }
  }

  /// The shell that runs now.
  package var processID: Int32? { shell.withLock { $0?.processID } }

  /// Ends everything that runs on the board, and boots again.
  package func restart(_ why: Restart = .reboot) {
    restarting.withLock {
      $0.why = why
      $0.interrupt.raise()
    }
  }

  /// Ends the board, with all that it runs. Idempotent.
  package func end() {
    ending.raise()
    restart()
    let running = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    running?.join()
  }

  // MARK: The thread

  private func run(_ terminal: BoardTerminal) {
    var boots = 0
    while !ending.isRaised, !terminal.isGone {
      let interrupt = Interrupt()
      restarting.withLock { $0.interrupt = interrupt }
      if ending.isRaised { break }
      let life = Life(
        settings: settings, terminal: terminal, path: path, boots: boots,
        deadline: Deadline(time: nil, interrupt: interrupt), report: report
      ) { process in self.shell.withLock { $0 = process } }
      life.run()
      shell.withLock { $0 = nil }
      if restarting.withLock({ $0.why == .panic && $0.interrupt.isRaised }), !ending.isRaised {
        life.sayPanic()
      }
      boots += 1
    }
  }
}

/// One boot of a board.
private struct Life {
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
    terminal.reset()
    if settings.neverBoots {
      // Nor does it echo.
      terminal.readKeys()
      while terminal.line(until: deadline) != nil {}
      return
    }
    if settings.bootSeconds != nil || boots > 0 || settings.panics > 0 {
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
    terminal.reset()
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

/// What a simulated board says when it boots.
enum BoardText {
  static let kernel = [
    "Booting Linux on physical CPU 0x0000000000 [0x411fd070]",
    "Linux version 6.1.0-kelvin (simulated) #1 SMP PREEMPT",
    "Machine model: Kelvin simulated board",
    "Memory: 505920K/524288K available",
    "smp: Brought up 1 node, 4 CPUs",
    "devtmpfs: initialized",
    "NET: Registered PF_NETLINK/PF_ROUTE protocol family",
    "Serial: 8250/16550 driver, 4 ports, IRQ sharing disabled",
    "printk: console [ttyS0] enabled",
    "mmc0: new high speed SDHC card at address aaaa",
    "mmcblk0: mmc0:aaaa SL16G 14.8 GiB",
    "EXT4-fs (mmcblk0p2): mounted filesystem with ordered data mode.",
    "VFS: Mounted root (ext4 filesystem) readonly on device 179:2.",
    "Freeing unused kernel memory: 2048K",
    "Run /sbin/init as init process",
    "systemd[1]: Hostname set to <board>.",
    "systemd[1]: Reached target Multi-User System."
  ]

  static func stamped(_ seconds: Double, _ line: String) -> String {
    let microseconds = Int(seconds * 1e6)
    let whole = String(microseconds / 1_000_000)
    let padding = String(repeating: " ", count: max(0, 5 - whole.utf8.count))
    return "[\(padding)\(whole).\(six(microseconds % 1_000_000))] \(line)\n"
  }

  static func panic(_ seconds: Double) -> String {
    let why = "VFS: Unable to mount root fs on unknown-block(179,2)"
    return stamped(seconds, "Kernel panic - not syncing: \(why)")
      + stamped(seconds, "CPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.1.0-kelvin #1")
      + stamped(seconds, "---[ end Kernel panic - not syncing: \(why) ]---")
      + stamped(seconds, "Rebooting in 1 seconds..")
  }

  static func two(_ number: Int) -> String { number < 10 ? " \(number)" : "\(number)" }

  private static func six(_ number: Int) -> String {
    String(String(1_000_000 + number).dropFirst())
  }
}
