public import KelvinModel

/// The keys of agendas and config files, declared once for reading, completion and documentation.
public enum AgendaKeys {
  /// Under `config:` or in a config file only: what holds for the whole run.
  public static let run: [OptionDeclaration] = [
    .init(
      "execution_order", .choice(ExecutionOrder.allCases.map(\.rawValue)),
      default: .text(ExecutionOrder.byIteration.rawValue),
      "In which order the iterations of all specs run."),
    .init(
      "seed", .integer, range: 0...Double(Int64.max),
      "Of the random order and of whatever else draws; drawn and recorded when absent."),
    .init(
      "reboot_policy", .choice(RebootPolicy.allCases.map(\.rawValue)),
      default: .text(RebootPolicy.asNeeded.rawValue), "When the target is rebooted."),
    .init(
      "retry_on_status", .list(.choice(Verdict.Status.allCases.map(\.rawValue))),
      default: ["failed", "partial"], "A job that ends so is tried again."),
    .init(
      "max_retries", .integer, default: 2, range: 0...1_000_000,
      "Attempts at a job after the first."),
    .init(
      "bail_on_init_failure", .boolean, default: true,
      "End the run when a job fails to initialize."),
    .init(
      "bail_on_job_failure", .boolean, default: false,
      "End the run when a job has failed at every attempt."),
    .init(
      "quarantine", .word(["off"], or: .structure(quarantine, shorthand: nil)),
      "When a board is taken out because it fails too often: 'failures' of its last attempts, or 'off'."
    ),
    .init(
      "health_check", .structure(healthCheck, shorthand: "workload"),
      "A workload that a board must pass to be trusted."),
    .init("run_name", .text, "Names the run; in an agenda only."),
    .init("project", .text, "The project that the results belong to."),
    .init("project_stage", .any, "The project's stage; a map is kept as JSON.")
  ]

  /// Of `quarantine`.
  static let quarantine: [OptionDeclaration] = [
    .init(
      "failures", .integer, default: .integer(Int64(QuarantineRule.standard.failures)),
      range: 1...1000, "So many failures by the board or what is around it."),
    .init(
      "of", .integer, default: .integer(Int64(QuarantineRule.standard.attempts)), range: 1...1000,
      "Among so many of its last attempts.")
  ]

  /// Of `health_check`.
  static let healthCheck: [OptionDeclaration] = [
    .init("workload", .text, required: true, "The workload that is run."),
    .init("params", .map(.any), default: [:], "Its parameters."),
    .init(
      "when", .list(.choice(HealthCheck.Time.allCases.map(\.rawValue))),
      default: .list(HealthCheck.Time.allCases.map { .text($0.rawValue) }),
      "At the start of the run, after each recovery, or both; '[]' with 'every' alone."),
    .init("every", .integer, range: 1...1_000_000, "After so many jobs since the last check, too."),
    .init(
      "timeout", .quantity(.time, bare: "s"), default: .number(HealthCheck.seconds),
      range: 0.001...86_400, "How long each of its stages may take.")
  ]

  /// Under `config:`, in a section and in a workload entry, the later over the earlier.
  public static let job: [OptionDeclaration] = [
    .init(
      "iterations", .integer, default: 1, range: 1...10_000_000, "How often the workload runs."),
    .init("label", .text, "Stands for the workload's name in results."),
    .init(
      "params", .map(.any), aliases: JobKey.params.aliases,
      "Of the workload. In a section 'params' means 'runtime_params'."),
    .init(
      "runtime_params", .map(.any), aliases: JobKey.runtimeParameters.aliases,
      "Settings of the device while the workload runs."),
    .init("classifiers", .map(.any), "Tags of all results: name to text."),
    .init(
      "augmentations", .list(.text), aliases: JobKey.augmentations.aliases,
      "Instruments and outputs to enable; '~name' disables one, '~~' all inherited ones."),
    .init(
      "setup_timeout", .quantity(.time, bare: "s"), default: .number(StageTimeouts().setup),
      range: 0.001...Double.infinity, "How long a job's setup may take."),
    .init(
      "run_timeout", .quantity(.time, bare: "s"), default: .number(StageTimeouts().run),
      range: 0.001...Double.infinity, "How long the workload may run."),
    .init(
      "extract_timeout", .quantity(.time, bare: "s"), default: .number(StageTimeouts().extract),
      range: 0.001...Double.infinity, "How long extracting the results may take."),
    .init(
      "teardown_timeout", .quantity(.time, bare: "s"), default: .number(StageTimeouts().teardown),
      range: 0.001...Double.infinity, "How long a job's teardown may take."),
    .init(
      "cleanup_assets", .boolean, aliases: JobKey.cleanupAssets.aliases, default: false,
      "Remove what was installed for the workload at its teardown."),
    .init(
      "link", .structure(link, shorthand: "state"),
      "Whether the link to the board stays while the workload runs: 'attached', or 'detached'."),
    .init(
      "deploy", .word(["none"], or: .structure(deploy, shorthand: nil)),
      "What the board must run: images of this host; 'none': what it boots by itself."),
    .init(
      "boot_params", .map(.any), aliases: JobKey.bootParameters.aliases,
      "Understood; nothing uses them yet."),
    .init("flash", .map(.any), "Understood; nothing uses it yet.")
  ]

  /// Of `deploy`; each level adds to what those before it say.
  public static let deploy: [OptionDeclaration] = [
    .init(
      "by", .choice(Deployment.Way.allCases.map(\.rawValue)),
      "How the images get there; default: the only way that the bench describes for the board."),
    .init("kernel", .path, "The kernel's image."),
    .init("initrd", .path, "The initial RAM file system."),
    .init("device_tree", .path, "The device tree blob."),
    .init("root", .path, "The root file system's image, or the whole card's."),
    .init("command_line", .text, "The kernel's command line; default: as it is."),
    .init(
      "build_id", .text,
      "The build id that the running kernel must have; default: the one of the kernel's image."),
    .init("verify", .text, "A shell line that must succeed on the board that runs it.")
  ]

  /// Of `link`.
  static let link: [OptionDeclaration] = [
    .init(
      "state", .choice(["attached", "detached"]), required: true,
      "'detached': USB or network is taken away while the workload runs, as the board's 'link' says."
    ),
    .init(
      "seconds", .quantity(.time, bare: "s"), range: 0...1e6,
      "When the link comes back, after the start of the workload; default: when that has ended, which "
        + "only a board that takes its own interface down can tell."),
    .init(
      "settle", .quantity(.time, bare: "s"), default: .number(DetachedLink().settle),
      range: 0...3600, "Between the order and the workload's start, for the link to go.")
  ]

  /// The declaration of a job's key, nil for keys that only structure the agenda.
  static func declaration(of key: JobKey) -> OptionDeclaration? {
    jobByName[key.rawValue]
  }

  static let runByName = Dictionary(uniqueKeysWithValues: run.map { ($0.name, $0) })
  private static let jobByName = Dictionary(uniqueKeysWithValues: job.map { ($0.name, $0) })
}
