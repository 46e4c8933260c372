internal import ArgumentParser
internal import KelvinMeters
internal import KelvinModel

/// `kelvin meter info`: one meter.
struct MeterInfoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Shows a meter: which one it is, its channels, and how far they can be trusted.",
    discussion: """
      EXAMPLES
        kelvin meter info hwmon/ina226
        kelvin meter info rapl --board rock --format json
      """)

  @Argument(
    help: "The meter, as 'kelvin meter list' names it, or as YAML: 'DRIVER: {OPTION: VALUE}'.")
  var meter: String
  @OptionGroup var meters: MeterOptions
  @Option(help: "How long it may take.") var timeout = "30 s"
  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func run() async throws {
    let deadline = try Deadline.ofCommand(timeout)
    let (identity, channels, rate, properties) = try await meters.withMeter(
      meter, for: "meter info", until: deadline
    ) { meter, _ in
      (meter.identity, meter.channels, meter.rate, try await meter.status(until: deadline))
    }
    switch format {
    case .json:
      Terminal.standardOutput.line(
        Value.map([
          "meter": MeterText.value(identity), "rate": rate.map { .number($0) } ?? .null,
          "channels": .list(channels.map(MeterText.value)),
          "properties": .map(
            Dictionary(properties.map { ($0.name, .text($0.value)) }, uniquingKeysWith: { $1 }))
        ]).json)
    case .text:
      let rows =
        [
          ("meter", identity.name), ("driver", identity.driver), ("model", identity.model),
          ("serial", identity.serial), ("location", identity.location), ("range", identity.range),
          ("rate", rate.map { "\($0) Hz" } ?? "as it comes"),
          ("calibrated", identity.calibration), ("verified", identity.verified)
        ] + properties.map { ($0.name, $0.value) }
      for line in MeterText.columns(rows) { Terminal.standardOutput.line(line) }
      TextTable(
        header: ["CHANNEL", "SITE", "KIND", "UNIT", "WITHIN", "SAID BY"], right: [],
        rows: channels.map { channel in
          [
            channel.name, channel.site, channel.kind?.rawValue ?? "", channel.unit,
            channel.accuracy.map { FigureText.limits($0, channel.unit) } ?? "not stated",
            channel.accuracy?.source ?? ""
          ].map(TextTable.printable)
        }
      ).print()
    }
  }
}
