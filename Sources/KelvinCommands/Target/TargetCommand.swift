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
        kelvin target settings rock
        kelvin target set rock governor=performance
        kelvin target restore rock
        kelvin target processes rock 'stress*'
        kelvin target log rock --kernel
        kelvin target install phone app.apk
        kelvin target screenshot phone screen.png
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
      TargetSettingsCommand.self,
      TargetSetCommand.self,
      TargetRestoreCommand.self,
      TargetProcessesCommand.self,
      TargetPackagesCommand.self,
      TargetPropertyCommand.self,
      TargetLogCommand.self,
      TargetInstallCommand.self,
      TargetUninstallCommand.self,
      TargetStartCommand.self,
      TargetStopCommand.self,
      TargetInputCommand.self,
      TargetScreenshotCommand.self,
      TargetFlashCommand.self,
      TargetFastbootCommand.self,
      TargetUBootCommand.self
    ])
}
