public import KelvinConnections
public import KelvinModel

/// Programs that print what they measure: a vendor's own tool, a script, `perf stat -I`.
public struct CommandDriver: MeterDriver {
  public init() {}

  public var declaration: Declaration {
    Declaration(
      .meter, "command", summary: "A program that prints what it measures, line by line.",
      description: """
        The program runs while it is measured with, and is asked to end by a signal. Its lines have \
        columns, or are written as 'line' or 'pattern' shows. Each line has a time: one that it prints, one by the \
        stated rate of lines, or its arrival, which is late by up to 'delay'. What cannot be read is \
        counted as lost, and nothing is filled in for it; what the program says on standard error is \
        kept with the capture. A program must not keep back what it prints: 'stdbuf -oL' helps with \
        most that do.
        """,
      options: CommandOptions.options,
      alternatives: [
        .init(["argv", "shell"], required: true),
        .init(["columns", "line", "pattern"], required: true)
      ],
      verified: "programs of this machine, perf among them; no vendor's tool")
  }

  public func needsLink(_ options: [String: Value]) -> Bool { options["on"]?.text == "board" }

  public func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    var options = try CommandOptions(options, name: name)
    let place: any Connection = options.isOnBoard ? connection : LocalConnection()
    if !place.capabilities.isThisMachine, case .printed(_, let digits) = options.plan.timing {
      // That machine's clocks are none of this one's.
      options.plan.timing = .printed(.own, digits: digits)
    }
    let (plan, channels) = (options.plan, options.plan.channels)
    return CommandMeter(
      MeterIdentity(
        name: name, driver: "command", model: options.argv.first ?? "",
        location: "\(place.name): \(options.argv.joined(separator: " "))",
        verified: declaration.verified ?? ""),
      ProgramPlan(
        argv: options.argv, patience: options.patience, stop: options.stop.number,
        grace: options.grace), channels: channels, rate: plan.period.map { 1e9 / $0 },
      properties: [MeterProperty("times", plan.timing.text)], through: place
    ) { LineStream(plan, name: name, into: $0) }
  }
}

extension LinePlan.Timing {
  /// For people.
  fileprivate var text: String {
    switch self {
    case .printed(let clock, _): "printed, \(clock.rawValue) clock"
    case .counted: "lines are counted at the stated rate"
    case .arrival(let late): "arrival, up to \(late / 1e6) ms late"
    }
  }
}
