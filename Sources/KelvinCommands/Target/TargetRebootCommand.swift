internal import ArgumentParser
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// `kelvin target reboot`: a board boots anew, by its own command.
struct TargetRebootCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reboot",
    abstract: "Reboots a board, and waits until it is back.",
    discussion: """
      The board's own command reboots it; 'kelvin power cycle' does it by the switch. It is back when \
      it answers with another boot id.

      EXAMPLES
        kelvin target reboot rock
        kelvin target reboot rock --timeout '3 min'
        kelvin target reboot rock --no-wait
      """)

  @Argument(help: "The board, by its name in the bench file.")
  var board: String

  @Option(help: "How long it may take until the board is back.") var timeout = "2 min"

  @Flag(help: "End as soon as the board has gone down.") var noWait = false

  @OptionGroup var target: TargetOptions

  func run() async throws {
    guard BoardChoice(rawValue: board) == nil else {
      throw ValidationError("\(board): is this machine, which Kelvin does not reboot")
    }
    let deadline = try Deadline.ofCommand(timeout)
    let waits = !noWait
    let name = board
    let seconds = try await target.withTarget(board, for: "reboot", until: deadline) { target in
      let begin = MonotonicTime.now
      let old = try await target.reboot(until: deadline)
      guard waits else { return Double?.none }
      if Terminal.standardError.isTerminal {
        Terminal.standardError.line("\(name): goes down; waiting until it is back")
      }
      try await target.waitForBoot(after: old, until: deadline)
      return Double(MonotonicTime.now - begin) / 1e9
    }
    let text = seconds.map { "back after \(DurationText.short(Int64($0 * 1e9)))" } ?? "goes down"
    Terminal.standardOutput.line("\(board): \(text)")
  }
}
