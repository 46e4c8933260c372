internal import ArgumentParser
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// `kelvin target exec`: one command on a board, as if it ran here.
struct TargetExecCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exec",
    abstract: "Runs a command on a board.",
    discussion: """
      Standard input, output and error are the command's own, as bytes. A command that is still \
      running when the time is over, or when this one is interrupted, is ended on the board with all \
      that it started.

      EXAMPLES
        kelvin target exec rock -- uname -a
        kelvin target exec rock --timeout '10 s' -- stress-ng --cpu 4 --timeout 60
        kelvin target exec rock -- sh -c 'cat > /tmp/x' < x
        kelvin target exec rock --root -- dmesg
        kelvin target exec rock --status-file status.json -- false

      EXIT CODES
        the command's own; 128 + N when signal N ended it; 127 when the board has no such command
        124  timed out
        125  Kelvin itself failed
        126  the connection to the board was lost, or there is none
        130  ended by SIGINT    143  ended by SIGTERM    141  nobody reads its output any more
      A command may use these codes itself: --status-file tells them apart.
      """)

  @Argument(help: "The board, by its name in the bench file; local is this machine.")
  var board: String

  @Argument(parsing: .postTerminator, help: "The command and its arguments, after --.")
  var argv: [String] = []

  @Option(help: "How long it may run; default: without end.") var timeout: String?

  @Option(name: .customLong("cd"), help: "The directory on the board in which it runs.")
  var directory: String?

  @Option(name: .customLong("env"), help: "NAME=VALUE, added to its environment; may be repeated.")
  var environment: [String] = []

  @Flag(help: "Run it as root, by the way that the bench file's 'become' says.") var root = false

  @Option(help: "Write how it ended to this file, as JSON.", completion: .file())
  var statusFile: String?

  @OptionGroup var target: TargetOptions

  func validate() throws {
    if argv.isEmpty { throw ValidationError("no command given; put it after --") }
    for setting in environment where setting.firstIndex(of: "=") == nil || setting.first == "=" {
      throw ValidationError("--env: expected NAME=VALUE, found '\(setting)'")
    }
  }

  func run() async throws {
    let limit = try timeout.map { try DurationText.seconds($0, "--timeout") }
    let interrupt = SignalInterrupt.begin()
    let deadline = Deadline.after(seconds: limit ?? .infinity, interrupt: interrupt)
    var command = Command(
      argv, workingDirectory: directory.map { TargetPath($0) },
      standardInput: .descriptor(0), standardOutput: .descriptor(1),
      standardError: .descriptor(2), asRoot: root)
    for setting in environment {
      let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      command.environment[String(parts[0])] = String(parts[1])
    }
    let ending: CommandEnding
    do {
      let wanted = command
      let result = try await target.withTarget(board, for: "exec", until: deadline) {
        try await $0.connection.execute(wanted, until: deadline)
      }
      ending = CommandEnding(result)
    } catch {
      ending = CommandEnding(error)
      if ending.isWorthAMessage { Terminal.standardError.line("kelvin: \(ending.message)") }
    }
    if let statusFile { try ending.write(to: statusFile) }
    if ending.exitCode != 0 { throw CommandExit(code: ending.exitCode) }
  }
}
