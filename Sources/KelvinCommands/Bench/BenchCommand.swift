internal import ArgumentParser

/// `kelvin bench`: the equipment of this host.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Finds, holds and shares the equipment of this host.",
    subcommands: [
      BenchUpCommand.self,
      BenchDownCommand.self,
      BenchConsoleCommand.self,
      BenchOwnerCommand.self
    ])
}
