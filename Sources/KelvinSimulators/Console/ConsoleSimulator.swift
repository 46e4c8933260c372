internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A board's serial console that is not there: a real shell behind a line with faults, at a place of
/// this machine.
///
/// What runs on the board may ask for faults, too: `fault vanish 3`, `reboot`.
package final class ConsoleSimulator: Sendable {
  /// What is simulated.
  package struct Setup: Sendable {
    package var place: ConsolePlace
    /// The shell; nil: ``arguments`` say what runs.
    package var shell: BoardShell? = .dash
    /// A program of this machine and its arguments.
    package var arguments: [String] = []
    package var prompt = "# "
    package var login: BoardConsole.Login?
    package var bootSeconds: Double?
    package var countdown = 0
    package var bitsPerSecond: Int?
    package var faults = ConsoleFaults()

    package init(_ place: ConsolePlace) { self.place = place }
  }

  private let home: BoardHome
  private let line: FaultyLine
  private let board: BoardConsole
  private let server: ConsoleServer
  private let control: Int32
  private let ending = Interrupt()
  private let thread = Mutex<NamedThread?>(nil)

  /// Where hosts find it now.
  package var address: String { server.address }
  /// A FIFO that takes `reboot`, `panic`, `cut SECONDS` and `vanish SECONDS`, a line each.
  package let controlPath: String

  /// Begins.
  ///
  /// - Parameter report: is told what happens, a line each.
  package init(
    _ setup: Setup, report: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(PlainFailure) {
    home = try BoardHome(
      setup.shell, tools: setup.shell == .busybox ? BoardHome.commonApplets : nil)
    // A terminal that comes back may be another one; its link is the same.
    var place = setup.place
    if case .terminal(nil) = place { place = .terminal(link: home.path + "/console") }
    controlPath = home.path + "/control"
    guard mkfifo(controlPath, 0o600) == 0,
      case let fifo = kelvin_open(controlPath, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0), fifo >= 0
    else { throw PlainFailure(.infrastructure, "\(controlPath): \(Errno.current)") }
    control = fifo
    var host: Int32 = -1
    do throws(PlainFailure) {
      try ConsoleSimulator.install(home, controlPath)
      // Before the line owns the terminal's master.
      let settings = try ConsoleSimulator.settings(setup, home)
      var name = [CChar](repeating: 0, count: 128)
      let master = kelvin_pty(&name, name.count)
      guard master >= 0 else {
        throw PlainFailure(
          .infrastructure, "no pseudo terminal: \(Errno.current)",
          hint: "/proc/sys/kernel/pty/max limits how many there are")
      }
      let path = String(
        decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      var faults = setup.faults.line
      faults.bitsPerSecond = setup.bitsPerSecond
      if setup.faults.saysPrompts {
        faults.noiseTexts = [setup.faults.prompt ?? setup.prompt, "board login: ", "Password: "]
      }
      let line = try FaultyLine(master, faults, host: &host)
      self.line = line
      do throws(PlainFailure) {
        server = try ConsoleServer(
          host, at: place, vanishAfter: setup.faults.vanishAfter, report: report)
      } catch {
        line.end()
        throw error
      }
      do throws(PlainFailure) {
        board = try BoardConsole(settings, terminal: path, report: report)
      } catch {
        server.end()
        line.end()
        throw error
      }
    } catch {
      close(control)
      throw error
    }
    let new = try NamedThread("console control") { [self] in obey() }
    thread.withLock { $0 = new }
  }

  /// The board starts anew.
  package func restart(_ why: BoardConsole.Restart) { board.restart(why) }

  /// The place goes away, and comes back.
  package func vanish(seconds: Double) { server.vanish(seconds: seconds) }

  /// Nothing passes for a while.
  package func cut(seconds: Double) { line.cut(seconds: seconds) }

  /// The board's shell, while it runs.
  package var processID: Int32? { board.processID }

  /// Ends the board with all that it runs, and goes away. Idempotent.
  package func end() {
    ending.raise()
    guard let running = thread.take() else { return }
    running.join()
    board.end()
    server.end()
    line.end()
    close(control)
  }

  // MARK: What the board has

  private static func install(_ home: BoardHome, _ control: String) throws(PlainFailure) {
    // Never this machine's own.
    for name in ["reboot", "poweroff", "halt", "shutdown"] {
      try home.install(name, script: "echo reboot >'\(control)'")
    }
    try home.install("fault", script: "echo \"$*\" >'\(control)'")
  }

  private static func settings(
    _ setup: Setup, _ home: BoardHome
  ) throws(PlainFailure) -> BoardConsole.Settings {
    let faults = setup.faults
    var settings: BoardConsole.Settings
    if let program = setup.arguments.first {
      settings = .init(try BoardHome.find(program), Array(setup.arguments.dropFirst()))
    } else {
      settings = .init(
        home.path + "/bin/sh", setup.shell == .bash ? ["--norc", "-i"] : ["-i"])
    }
    settings.environment = [
      "PATH": home.searchPath, "HOME": home.path, "TERM": "vt100",
      "PS1": faults.prompt ?? setup.prompt, "USER": setup.login?.user ?? "root"
    ]
    settings.directory = home.path
    settings.login = setup.login
    settings.bootSeconds = setup.bootSeconds
    settings.countdown = setup.countdown
    settings.neverBoots = faults.neverBoots
    settings.panics = faults.panics
    settings.asksTwice = faults.asksTwice
    return settings
  }

  // MARK: What is asked for while it runs

  private func obey() {
    let deadline = Deadline(time: nil, interrupt: ending)
    var pending = ""
    var buffer = [UInt8](repeating: 0, count: 4096)
    while deadline.wait(for: control) == .ready {
      let count = read(control, &buffer, buffer.count)
      guard count > 0 else { continue }
      pending += String(decoding: buffer[..<count], as: UTF8.self)
      while let end = pending.firstIndex(of: "\n") {
        obey(pending[..<end].split(separator: " ").map(String.init))
        pending = String(pending[pending.index(after: end)...])
      }
      // No order is so long.
      if pending.utf8.count > buffer.count { pending = "" }
    }
  }

  private func obey(_ words: [String]) {
    let seconds = words.count == 2 ? ConsoleFaults.seconds(words[1]) : nil
    switch (words.first, seconds) {
    case ("reboot", _): board.restart(.reboot)
    case ("panic", nil): board.restart(.panic)
    case ("cut", let seconds?): line.cut(seconds: seconds)
    case ("vanish", let seconds?): server.vanish(seconds: seconds)
    default: break
    }
  }
}
