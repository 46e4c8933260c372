internal import ArgumentParser

/// `kelvin target`: a board of the bench, by hand.
struct TargetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "target",
    abstract: "Works on a board of the bench by hand.",
    discussion: """
      EXAMPLES
        kelvin target flash rock system system.img
        kelvin target fastboot rock getvar all
      """,
    subcommands: [
      TargetFlashCommand.self,
      TargetFastbootCommand.self
    ])
}
