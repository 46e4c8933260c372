public import KelvinModel

extension Delay {
  public static let declaration = Declaration(
    .instrument, "delay",
    summary: "Waits before jobs: for a time, or until the board is cool, idle or charged.",
    description: """
      A job waits before it starts (before: start, after setup, nothing but other instruments' \
      callbacks between it and the measured window), before all of it (job), or before its spec's \
      first job (spec), until all conditions of wait_for hold at the same time. The board is looked \
      at once every poll_period, in one round trip; whatever is told from a window of time at least \
      four times in it. When timeout is over, on_timeout decides. How long it was waited is no cost \
      of Kelvin's, and no part of the job's timeouts. Commands of cooling run while conditions are \
      waited for, and are undone before the job goes on, also when the run is stopped or the link \
      is lost. Workload Automation's options are taken as well; the fixed or temperature wait of a \
      spec takes the place of that of its first job, as there.
      """,
    options: waitOptions + workloadAutomationOptions,
    metrics: [
      MetricDeclaration("delay_waited", unit: "s", "How long it was waited (before)."),
      MetricDeclaration(
        "delay_temperature", unit: "degC", "What was waited for, at the end (before, subject)."),
      MetricDeclaration(
        "delay_cpu_idle", unit: "%", "What was waited for, at the end (before, subject)."),
      MetricDeclaration(
        "delay_battery", unit: "%", "What was waited for, at the end (before, subject).")
    ])

  private static let waitOptions = [
    OptionDeclaration(
      "wait_for", .structure(conditions, shorthand: nil),
      "Conditions that must all hold at the same time."),
    OptionDeclaration(
      "before", .choice(DelayPlan.Place.allCases.map(\.rawValue)), default: "start",
      "Where wait_for is waited for."),
    OptionDeclaration(
      "timeout", .quantity(.time, bare: "s"), aliases: ["temperature_timeout", "thermal_timeout"],
      default: 600, range: 0...86_400, "How long conditions are waited for."),
    OptionDeclaration(
      "on_timeout", .choice(DelayPlan.Rule.allCases.map(\.rawValue)),
      "What happens then: fail the job, only warn, or flag it as partial. When absent, wait_for flags "
        + "and Workload Automation's waits warn. It is the same when the board cannot tell."),
    OptionDeclaration(
      "poll_period", .quantity(.time, bare: "s"),
      aliases: ["temperature_poll_period", "thermal_sleep_time"], default: 1, range: 0.01...3600,
      "From look to look."),
    OptionDeclaration(
      "cooling", .structure(coolingOptions, shorthand: nil),
      "Commands that cool the board while conditions are waited for; each switches something, and "
        + "ends.")
  ]

  private static let conditions = [
    OptionDeclaration(
      "temperature", .list(.structure(temperature, shorthand: "at_most")),
      "One sensor or several, each with what is wanted of it."),
    OptionDeclaration(
      "cpu_idle",
      .structure(
        [
          OptionDeclaration(
            "at_least", .quantity(.ratio, bare: nil), default: 0.95, range: 0...1,
            "Share of all CPUs' time; what a hypervisor gave to others is not idle."),
          OptionDeclaration(
            "window", .quantity(.time, bare: "s"), default: 5, range: 0.1...3600,
            "Over the last so many seconds.")
        ], shorthand: "at_least"), "How idle the CPUs are, from /proc/stat."),
    OptionDeclaration(
      "battery",
      .structure(
        [
          OptionDeclaration(
            "at_least", .quantity(.ratio, bare: nil), range: 0...1, "Charge, as a share."),
          OptionDeclaration(
            "at_most", .quantity(.ratio, bare: nil), range: 0...1, "Charge, as a share."),
          OptionDeclaration(
            "supply", .text, "A name in /sys/class/power_supply; the only battery when absent.")
        ], shorthand: nil), "How full the battery is.")
  ]

  private static let temperature = [
    OptionDeclaration(
      "zone", .text,
      "A thermal zone's type, name or number, a chip of hwmon (coretemp), CHIP/temp1 or CHIP/LABEL, or "
        + "a path. When absent, those of the CPUs, or all zones where no name tells. Of several the "
        + "hottest counts."),
    OptionDeclaration(
      "at_most", .word(["initial"], or: .quantity(.temperature, bare: nil)), range: -273.15...1000,
      "The highest temperature that is cool enough; initial: what it was when the run began."),
    OptionDeclaration(
      "margin", .quantity(.temperature, bare: "degC"), range: 0...1000,
      "With initial: how much above it is cool enough."),
    OptionDeclaration(
      "max_slope", .number, range: 0...1e6,
      "How much it may rise or fall, in kelvins a minute: the line of least squares through window."
    ),
    OptionDeclaration(
      "window", .quantity(.time, bare: "s"), default: 30, range: 0.1...86_400,
      "Over which max_slope is taken.")
  ]

  private static let coolingOptions = [
    OptionDeclaration("start", .argv, required: true, "Begins to cool."),
    OptionDeclaration("stop", .argv, required: true, "Ends it."),
    OptionDeclaration(
      "where", .choice(Cooling.Place.allCases.map(\.rawValue)), default: "host",
      "Where the commands run: on this machine or on the board.")
  ]

  private static let workloadAutomationOptions =
    [
      OptionDeclaration(
        "temperature_file", .text, aliases: ["thermal_temp_file"],
        default: .text(DelayPlan.temperatureFile),
        "What the three temperature waits below read, in thousandths of a degree.")
    ]
    + [
      ("specs", "fixed_between_specs", "temperature_between_specs", "a spec's first job", []),
      ("jobs", "fixed_between_jobs", "temperature_between_jobs", "each job", ["iterations"]),
      ("start", "fixed_before_start", "temperature_before_start", "the measured window", [])
    ].flatMap { _, fixed, temperature, what, others in
      [
        OptionDeclaration(
          fixed, .quantity(.time, bare: "s"),
          aliases: [fixed.replacing("fixed_", with: "fixed_delay_")]
            + others.map { "fixed_between_\($0)" },
          range: 0...86_400, "Waits so long before \(what)."),
        OptionDeclaration(
          temperature, .quantity(.temperature, bare: "mdegC"),
          aliases: [temperature.replacing("temperature_", with: "thermal_threshold_")]
            + others.map { "temperature_between_\($0)" },
          "Waits before \(what) until temperature_file holds no more; bare numbers are thousandths of "
            + "a degree, 0 is what it held when the run began.")
      ]
    } + [
      OptionDeclaration(
        "active_cooling", .boolean,
        "Whether cooling is used; without it, whether cooling is written.")
    ]
}
