internal import CLinux
internal import Glibc
internal import KelvinConnections
internal import KelvinModel
internal import KelvinSystem

/// This process's terminal, given to a target's shell whose bytes Kelvin moves itself.
enum TerminalUse {
  /// Rung by the signal that tells of another size.
  private static let resized = Doorbell()

  /// Makes the terminal raw, and gives it back in every case.
  ///
  /// - Returns: the shell's exit status; 255 when the user left, as for ssh.
  static func run(
    _ terminal: any RelayedTerminal, name: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> Int32 {
    let isTerminal = isatty(0) == 1 && isatty(1) == 1
    // It must exist before the handler can use it.
    let bell = resized
    if isTerminal {
      signal(SIGWINCH) { _ in TerminalUse.resized.ring() }
      guard kelvin_terminal_raw(0) == 0 else {
        throw ConnectionFailure(
          .system(.current), "the terminal cannot be made raw: \(KelvinModel.Errno.current)")
      }
    }
    defer { kelvin_terminal_restore() }
    let user = UserTerminal(
      input: 0, output: 1, error: 2, isTerminal: isTerminal, size: { size() },
      resized: isTerminal ? bell.descriptor : -1,
      type: getenv("TERM").map { String(cString: $0) } ?? "xterm")
    switch try terminal.run(on: user, until: deadline) {
    case .exited(let status): return status
    case .left:
      kelvin_terminal_restore()
      Terminal.standardError.line("\nkelvin: \(name): left")
      return 255
    }
  }

  private static func size() -> TerminalSize? {
    var (rows, columns): (Int32, Int32) = (0, 0)
    guard kelvin_terminal_size(0, &rows, &columns) == 0 else { return nil }
    return TerminalSize(rows: Int(rows), columns: Int(columns))
  }
}
