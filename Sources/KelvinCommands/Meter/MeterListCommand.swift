internal import ArgumentParser
internal import KelvinMeters
internal import KelvinModel
internal import KelvinTargets

/// `kelvin meter list`: what measures on a board.
struct MeterListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists the meters that a board's kernel has.",
    discussion: """
      Chips of hwmon that measure voltage, current, power or energy, RAPL's energy counters, batteries. \
      'kelvin list meters' lists the kinds of meters that Kelvin knows.

      EXAMPLES
        kelvin meter list
        kelvin meter list --board rock --format json
      """)

  @OptionGroup var meters: MeterOptions
  @Option(help: "How long it may take.") var timeout = "30 s"
  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func run() async throws {
    let deadline = try Deadline.ofCommand(timeout)
    let search = try await meters.target.withTarget(
      meters.board, for: "meter list", until: deadline
    ) { await MeterSearch(through: $0.connection, until: deadline) }
    switch format {
    case .json:
      Terminal.standardOutput.line(Value.list(search.found.map(MeterText.value)).json)
    case .text:
      if search.found.isEmpty {
        Terminal.standardOutput.line("\(meters.board): no meters")
      } else {
        TextTable(
          header: ["METER", "CHANNELS", "WHAT"], right: [],
          rows: search.found.map { meter in
            [
              meter.name, meter.channels.map(\.name).joined(separator: " "),
              meter.obstacle.map { "cannot be used: \($0)" } ?? meter.summary
            ].map(TextTable.printable)
          }
        ).print()
      }
    }
    for failure in search.failures { Terminal.standardError.line("kelvin: \(failure)") }
    if let failure = search.failures.first {
      throw CommandExit(code: failure.kind == .configuration ? 2 : 3)
    }
  }
}
