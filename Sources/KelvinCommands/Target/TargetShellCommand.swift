internal import ArgumentParser
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// `kelvin target shell`: a board's login shell on this terminal.
struct TargetShellCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "shell",
    abstract: "Opens a board's login shell on this terminal.",
    discussion: """
      The board is leased while the shell is open. It follows this terminal's size. '~.' at the begin of \
      a line leaves a shell that does not answer. 'kelvin target exec' is for scripts: it keeps streams \
      apart and tells a lost link from an exit code.

      EXAMPLES
        kelvin target shell rock
        kelvin target shell rock -- top -d 1

      EXIT CODES
        the shell's own; 125 when Kelvin itself failed; 126 when the connection is lost
      """)

  @Argument(help: "The board, by its name in the bench file; local is this machine.")
  var board: String

  @Argument(parsing: .postTerminator, help: "A command to run on the terminal, after --.")
  var argv: [String] = []

  @OptionGroup var target: TargetOptions

  func run() async throws {
    let deadline = Deadline(time: nil, interrupt: SignalInterrupt.begin())
    let command = argv
    let code: Int32
    do {
      code = try await target.withTarget(board, for: "shell", until: deadline) { target in
        let words: [String]
        switch try await target.connection.terminal(
          for: command, until: deadline.limited(toSeconds: 30))
        {
        case .program(let program): words = program
        case .relayed(let terminal):
          return try TerminalUse.run(terminal, name: target.name, until: deadline)
        }
        let code = try TerminalChild.run(words, until: deadline)
        // ssh ends so when it fails, and so may a shell.
        if code == 255, await !target.isResponsive() {
          throw ConnectionFailure(
            .connectionLost, "\(target.name): the connection was lost (\(target.connection.name))")
        }
        return code
      }
    } catch {
      let ending = CommandEnding(error)
      if ending.isWorthAMessage { Terminal.standardError.line("kelvin: \(ending.message)") }
      throw CommandExit(code: ending.exitCode)
    }
    if code != 0 { throw CommandExit(code: code) }
  }
}
