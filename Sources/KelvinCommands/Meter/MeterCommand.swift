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
        kelvin meter record hwmon/ina226 --for '1 min'
        kelvin meter selftest rail
        kelvin meter align rail --board rock
        kelvin meter verify rail --load 100ohm,1%
        kelvin meter calibrate rail --reference '3.300 V ± 2 mV' --channel in1
      """,
    subcommands: [
      MeterListCommand.self, MeterInfoCommand.self, MeterLiveCommand.self, MeterRecordCommand.self,
      MeterSelftestCommand.self, MeterVerifyCommand.self, MeterCalibrateCommand.self,
      MeterAlignCommand.self
    ])
}
