internal import ArgumentParser

/// `kelvin meter`: what measures.
struct MeterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "meter",
    abstract: "Lists, shows and reads meters.",
    discussion: """
      EXAMPLES
        kelvin meter list
        kelvin meter list --board rock
        kelvin meter info hwmon/ina226
        kelvin meter live hwmon/ina226 --board rock
      """,
    subcommands: [MeterListCommand.self, MeterInfoCommand.self, MeterLiveCommand.self])
}
