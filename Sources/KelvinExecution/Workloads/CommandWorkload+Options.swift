public import KelvinModel

extension CommandWorkload {
  /// Options of every workload that is a command.
  public static let commonOptions =
    [
      OptionDeclaration(
        "environment", .map(.text), aliases: ["env"], default: [:],
        "Variables added to the target's environment."),
      OptionDeclaration(
        "working_directory", .text,
        "Where the command runs on the target; default: with its files, or Kelvin's own."),
      OptionDeclaration(
        "stdin", .text, "Text that it reads on standard input; default: nothing."),
      CPUChoice.option,
      OptionDeclaration(
        "niceness", .integer, aliases: ["nice"], range: -20...19, "From -20 (favored) to 19."),
      OptionDeclaration(
        "priority", .integer, range: 1...99, "Priority under SCHED_FIFO; default: not real-time."),
      OptionDeclaration(
        "timeout", .quantity(.time, bare: "s"), range: 0.001...1e9,
        "How long it may run, instead of the job's run_timeout."),
      OptionDeclaration(
        "files", .list(.path), default: [],
        "Host files that are brought into one directory on the target, under their own names; the "
          + "command runs there, and may be one of them: './name'."),
      OptionDeclaration(
        "metrics", .map(.structure(MetricPattern.options, shorthand: "pattern")), default: [:],
        "Metrics from the output: a pattern for each name, or a map of pattern, group, stream, unit "
          + "and lower_is_better. The last matching line counts."),
      OptionDeclaration(
        "metrics_required", .boolean, default: true,
        "Fail the job when a metric's pattern matches nothing, or a tool's report has no figures."),
      OptionDeclaration(
        "pass", .list(.pattern), default: [],
        "Patterns that the output must match, each in some line."),
      OptionDeclaration("fail", .list(.pattern), default: [], "Patterns that no line may match."),
      OptionDeclaration(
        "exit_codes", .list(.integer), default: [0], range: 0...255,
        "Exit codes that mean success.")
    ] + assetOptions

  /// Options that every workload has in Workload Automation.
  static let assetOptions = [
    OptionDeclaration(
      "cleanup_assets", .boolean, aliases: ["clean_up"],
      "Remove its files from the target after each attempt; default: as the job says. They are gone "
        + "after the run in any case."),
    OptionDeclaration(
      "uninstall", .boolean, aliases: ["uninstall_on_exit"],
      "Workload Automation's: programs that were brought are removed after the run in any case.")
  ]
}
