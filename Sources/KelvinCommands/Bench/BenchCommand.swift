internal import ArgumentParser

/// `kelvin bench`: the equipment of this host.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "The equipment of this host: who has it, and what it is.",
    discussion: """
      EXAMPLES
        kelvin bench who
        kelvin bench reserve rock --for 2h --reason bring-up
      """,
    subcommands: [
      BenchWhoCommand.self,
      BenchReserveCommand.self,
      BenchReleaseCommand.self,
      BenchDisableCommand.self,
      BenchEnableCommand.self
    ])
}
