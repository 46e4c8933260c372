internal import ArgumentParser
internal import KelvinMeters
internal import KelvinModel

/// `kelvin meter selftest`: whether a meter does what it says.
struct MeterSelftestCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "selftest",
    abstract: "Tests a meter: whether each channel can be read, at its rate, without loss.",
    discussion: """
      Measures for a while and looks at each channel: values that can be read, the rate that is reached, \
      losses, conversions that are read more than once, values that never change, ends of the range, noise, \
      and the meter's clock. A note is worth knowing and no failure.

      EXAMPLES
        kelvin meter selftest
        kelvin meter selftest rail --for '10 s'
        kelvin meter selftest hwmon/ina226 --board rock --format json

      EXIT CODES
        0 when nothing failed; 1 when something did; 2 when there is no such meter; 3 when it could not be \
      started
      """)

  @Argument(
    help:
      "The meter, as 'kelvin meter list' names it, or as YAML: 'DRIVER: {OPTION: VALUE}'; default: the best one."
  )
  var meter: String?
  @OptionGroup var meters: MeterOptions
  @Option(name: .customLong("for"), help: "How long it measures; default: 3 s.")
  var time: TimeArgument?
  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func run() async throws {
    let interrupt = SignalInterrupt.begin()
    let seconds = time?.seconds ?? 3
    let (identity, test) = try await meters.withMeter(
      meter, for: "meter selftest", until: .after(seconds: 30, interrupt: interrupt)
    ) { meter, _ in
      let trial = try await MeterTrial.take(meter, seconds: seconds, interrupt: interrupt)
      return (
        meter.identity,
        MeterSelfTest(
          trial.figures, events: trial.events, rate: meter.rate, summary: trial.summary)
      )
    }
    switch format {
    case .json:
      Terminal.standardOutput.line(
        Value.map([
          "meter": MeterText.value(identity), "passed": .boolean(test.passed),
          "findings": .list(
            test.findings.map { finding in
              .map([
                "check": .text(finding.check.rawValue),
                "channel": finding.channel.map { .text($0) } ?? .null,
                "outcome": .text(finding.outcome.rawValue), "text": .text(finding.text)
              ])
            })
        ]).json)
    case .text:
      TextTable(
        header: ["CHANNEL", "CHECK", "OUTCOME", "WHAT"], right: [],
        rows: test.findings.map {
          [$0.channel ?? "(all)", $0.check.rawValue, $0.outcome.rawValue, $0.text]
            .map(TextTable.printable)
        }
      ).print()
      Terminal.standardOutput.line("\(identity.name): \(test.passed ? "ok" : "failed")")
    }
    if !test.passed { throw CommandExit.jobNotOK }
  }
}
