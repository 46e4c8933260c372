internal import ArgumentParser

/// `kelvin target`: a board of the bench, by hand.
struct TargetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "target",
    abstract: "Works on a board of the bench by hand.",
    discussion: """
      EXAMPLES
        kelvin target info rock
        kelvin target shell rock
        kelvin target exec rock -- uname -a
        kelvin target push rock tests/ /data/
        kelvin target reboot rock
        kelvin target flash rock system system.img
        kelvin target fastboot rock getvar all
        kelvin target uboot rock --reset -- version
      """,
    subcommands: [
      TargetShellCommand.self,
      BenchConsoleCommand.self,
      TargetExecCommand.self,
      TargetPushCommand.self,
      TargetPullCommand.self,
      TargetInfoCommand.self,
      TargetRebootCommand.self,
      TargetFlashCommand.self,
      TargetFastbootCommand.self,
      TargetUBootCommand.self
    ])
}
