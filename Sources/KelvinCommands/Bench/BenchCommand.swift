internal import ArgumentParser

/// `kelvin bench`: the equipment of this host.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "The equipment of this host: what it is, and who has it.",
    discussion: """
      EXAMPLES
        kelvin bench scan                                     what is plugged in
        kelvin bench who                                      who has which board
        kelvin bench reserve rock --for 2h --reason bring-up
      """,
    subcommands: [
      BenchScanCommand.self,
      BenchWatchCommand.self,
      BenchMatchCommand.self,
      BenchUDevCommand.self,
      BenchCheckCommand.self,
      BenchUpCommand.self,
      BenchDownCommand.self,
      BenchConsoleCommand.self,
      BenchOwnerCommand.self,
      BenchWhoCommand.self,
      BenchHealthCommand.self,
      BenchReserveCommand.self,
      BenchReleaseCommand.self,
      BenchDisableCommand.self,
      BenchEnableCommand.self
    ])
}
