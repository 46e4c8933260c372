internal import ArgumentParser
internal import KelvinMeters
internal import KelvinModel
internal import KelvinSystem
internal import KelvinTargets

/// `kelvin meter align`: by how much a meter's trace is late against its board.
struct MeterAlignCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "align",
    abstract: "Finds by how much a meter's trace is late, by load steps on its board.",
    discussion: """
      All CPUs of the board are busy and idle in turn, in a pseudo-random order, while the meter measures. \
      Where the steps are in the trace, against where the board says that it made them, is the offset: the \
      delay of the meter and the lag of the supply together. Its standard error holds the scatter of the \
      steps, the sampling, and how well the board's clock is known here.

      A dwell must last several samples, and six times the supply's lag. --on and --off give shell \
      lines of the board that make another load, such as a GPIO's, and end it.

      EXAMPLES
        kelvin meter align rail --board rock
        kelvin meter align rail --board rock --dwell '1 s' --order 6
        kelvin meter align rail --board rock --on 'gpioset -m exit 0 17=1' --off 'gpioset -m exit 0 17=0'

      EXIT CODES
        0 when it was found; 1 when the steps are not in the trace; 2 bad input; 3 the meter or the board failed
      """)

  @Argument(help: "The meter, as 'kelvin meter list' or the bench file names it.")
  var meter: String
  @OptionGroup var meters: MeterOptions
  @Option(help: "The shortest time busy or idle; default: 25 samples, at least 0.3 s.")
  var dwell: TimeArgument?
  @Option(help: "3 to 10: the pattern has 2^N - 1 dwells.") var order = 5
  @Option(help: "A shell line of the board that makes the load, instead of busy loops.")
  var on: String?
  @Option(help: "The shell line that ends it.") var off: String?
  @Option(help: "The channel that follows the power; default: a power, a current, a counter.")
  var channel: String?
  @Option(help: "The board's meter is read so often, in hertz; default: its own.") var rate: Double?
  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func validate() throws {
    guard (3...10).contains(order) else { throw ValidationError("--order: 3 to 10") }
    guard (on == nil) == (off == nil) else {
      throw ValidationError("--on and --off need each other")
    }
    if let rate, !(0.01...10_000).contains(rate) {
      throw ValidationError("--rate: 0.01 to 10000 (Hz)")
    }
  }

  private struct Found: Sendable {
    var identity: MeterIdentity
    var channel: String
    var alignment: StepAlignment
    /// With that of the edges, in nanoseconds.
    var standardError: Double
    var edges: Int
  }

  /// The greatest delay that is looked for, in nanoseconds.
  private static let search: Int64 = 3_000_000_000

  func run() async throws {
    let interrupt = SignalInterrupt.begin()
    let request = (dwell: dwell?.seconds, order: order, on: on, off: off, channel: channel)
    let options: [String: Value] = rate.map { ["rate": .number($0)] } ?? [:]
    let found: Found
    do {
      found = try await meters.withMeter(
        meter, options, for: "meter align", until: .after(seconds: 30, interrupt: interrupt)
      ) { meter, target in
        let trace = try PowerTrace(
          of: meter.channels, named: request.channel, meter: meter.identity.name)
        let least = 25 / (meter.rate ?? 100)
        let plan = LoadSteps.Plan(
          order: request.order, dwell: request.dwell ?? max(0.3, least), on: request.on,
          off: request.off)
        try await meter.start(into: trace, until: .after(seconds: 15, interrupt: interrupt))
        let steps: LoadSteps
        do {
          steps = try await LoadSteps.make(
            plan, on: target.connection,
            until: .after(seconds: 60 + 5 * plan.duration, interrupt: interrupt))
        } catch {
          _ = await meter.stop(until: .after(seconds: 10))
          throw error
        }
        // Late samples are late.
        _ = Deadline.after(seconds: min(3, 4 * plan.dwell), interrupt: interrupt).wait()
        let summary = await meter.stop(until: .after(seconds: 15))
        if let failure = summary.failure { throw failure }
        let (times, values) = trace.samples(summary.clock)
        let alignment = try StepAlignment.find(
          StepPattern(edges: steps.edges), times: times, power: values,
          searching: -Self.search...Self.search)
        let parts = [alignment.standardError, steps.uncertainty, summary.clock.uncertainty]
        return Found(
          identity: meter.identity, channel: meter.channels[trace.channel].name,
          alignment: alignment,
          standardError: parts.reduce(0) { $0 + $1 * $1 }.squareRoot(), edges: steps.edges.count)
      }
    } catch let failure as FigureFailure where failure.kind == .target {
      Terminal.standardError.line("kelvin: \(failure)")
      throw CommandExit.jobNotOK
    }
    show(found)
  }

  private func show(_ found: Found) {
    let alignment = found.alignment
    switch format {
    case .json:
      Terminal.standardOutput.line(
        Value.map([
          "meter": MeterText.value(found.identity), "channel": .text(found.channel),
          "offset": .number(alignment.offset / 1e9),
          "standard error": .number(found.standardError / 1e9),
          "lag": .number(alignment.lag / 1e9), "contrast": .number(alignment.contrast),
          "used": .integer(Int64(alignment.used)), "edges": .integer(Int64(found.edges))
        ]).json)
    case .text:
      let rows = [
        ("channel", found.channel),
        (
          "late by",
          FigureText.quantity(
            alignment.offset / 1e9, plusMinus: 2 * found.standardError / 1e9, "s")
            + " (k = 2)"
        ), ("standard error", FigureText.quantity(found.standardError / 1e9, "s")),
        ("lag of it", FigureText.quantity(alignment.lag / 1e9, "s")),
        ("step", FigureText.quantity(alignment.contrast, "")),
        ("steps used", "\(alignment.used) of \(found.edges)")
      ]
      for line in MeterText.columns(rows) { Terminal.standardOutput.line(line) }
    }
  }
}
