internal import ArgumentParser

/// `kelvin simulate`: what stands in for hardware.
struct SimulateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Stands in for hardware that is not there.",
    discussion: """
      EXAMPLES
        kelvin simulate plant .build/virtual-bench/x86-a     power for a virtual board
        kelvin simulate fastboot --tcp 5554                  a board in its boot loader
      """,
    subcommands: [SimulatePlantCommand.self, SimulateFastbootCommand.self])
}
