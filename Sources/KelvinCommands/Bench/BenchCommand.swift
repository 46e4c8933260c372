internal import ArgumentParser

/// `kelvin bench`: the equipment of this host.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Finds, shares and checks the equipment of this host.",
    subcommands: [
      BenchMatchCommand.self,
      BenchScanCommand.self,
      BenchWatchCommand.self,
      BenchUDevCommand.self
    ])
}
