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

    /// Whether it has not booted before.
    var boots: Bool { bootSeconds != nil || countdown > 0 || panics > 0 || neverBoots }
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
    // Before anybody can type: nothing echoes until somebody reads.
    if settings.boots { terminal.terminal.readKeys() }
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
    thread.take()?.join()
  }

  // MARK: The thread

  private func run(_ terminal: BoardTerminal) {
    var boots = 0
    while !ending.isRaised, !terminal.isGone {
      let interrupt = Interrupt()
      restarting.withLock { $0.interrupt = interrupt }
      if ending.isRaised { break }
      let life = BoardLife(
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
