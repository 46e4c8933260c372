internal import ArgumentParser
internal import Glibc
internal import KelvinAgenda
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// `kelvin target settings`: what can be set on a board, and how it is set.
struct TargetSettingsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings",
    abstract: "Lists the settings that a board offers, with value, range and source.",
    discussion: """
      Agendas name them under runtime_params; 'kelvin list settings' describes them all.

      EXAMPLES
        kelvin target settings rock
        kelvin target settings rock 'cpu0*'
        kelvin target settings rock --format json
      """)

  @Argument(help: "The board, by its name in the bench file; local is this machine.")
  var board: String

  @Argument(help: "Only those whose name matches, with * for anything.")
  var pattern: String?

  @Option(help: "How long it may take.") var timeout = "60 s"

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  @OptionGroup var target: TargetOptions

  func run() async throws {
    let deadline = try Deadline.ofCommand(timeout)
    let all = try await target.withBoard(board, for: "settings", until: deadline) {
      target, known in
      var catalog = try await SettingsCatalog.read(
        target, profile: known.profile, until: deadline)
      return try await catalog.offers(until: deadline)
    }
    let offers = all.filter { offer in pattern.map { fnmatch($0, offer.setting, 0) == 0 } ?? true }
    if format == .json {
      let list = offers.map { offer -> Value in
        .map([
          "setting": .text(offer.setting), "value": offer.value.map(Value.text) ?? .null,
          "range": .text(offer.range), "source": .text(offer.source)
        ])
      }
      return Terminal.standardOutput.line(Value.list(list).json)
    }
    TextTable(
      header: ["SETTING", "VALUE", "RANGE", "SOURCE"], right: [],
      rows: offers.map { offer in
        [offer.setting, offer.value ?? "-", offer.range, offer.source].map(TextTable.printable)
      }
    ).print()
  }
}

/// `kelvin target set`: changes settings of a board by hand.
struct TargetSetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set",
    abstract: "Changes settings of a board, and proves that they hold.",
    discussion: """
      Names and values are those of runtime_params in agendas. What was there before is remembered \
      until 'kelvin target restore'. Runs leave it as it is, but for what their own jobs set.

      EXAMPLES
        kelvin target set rock governor=performance
        kelvin target set rock big_max_frequency='1.8 GHz' num_little_cores=2
        kelvin target set rock 'sysctl={kernel.sched_autogroup_enabled: 0}'
        kelvin target set rock governor=performance --dry-run
      """)

  @Argument(help: "The board, by its name in the bench file; local is this machine.")
  var board: String

  @Argument(help: "NAME=VALUE; a value is YAML.")
  var settings: [String]

  @Flag(help: "Check them against what the board offers, and change nothing.") var dryRun = false

  @Option(help: "How long it may take.") var timeout = "60 s"

  @OptionGroup var target: TargetOptions

  func run() async throws {
    let wanted = try SettingArguments.read(
      settings, declarations: CommandEnvironment.current.declarations)
    let deadline = try Deadline.ofCommand(timeout)
    let changes = try await target.withBoard(board, for: "set", until: deadline) {
      [dryRun] target, known -> [AppliedSettings.Change] in
      guard let settings = try known.settings(of: target, run: "") else { return [] }
      if dryRun {
        try await settings.check(wanted, until: deadline)
        return []
      }
      return try await settings.add(wanted, until: deadline).changes
    }
    if dryRun { return Terminal.standardOutput.line("the board offers them; nothing was changed") }
    for change in changes { Terminal.standardOutput.line(TextTable.printable("\(change)")) }
    if changes.isEmpty { Terminal.standardOutput.line("nothing to change: they hold already") }
  }
}

/// `kelvin target restore`: puts back what runs and `kelvin target set` changed.
struct TargetRestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Puts a board's settings back as they were before runs and 'target set'.",
    discussion: """
      First what a run that was killed has left, then what was set by hand. A kernel that a run has \
      deployed into memory is only told of: another boot does away with it.

      EXAMPLES
        kelvin target restore rock
        kelvin target restore rock --take-over    after a run that will not be resumed
        kelvin target restore local
      """)

  @Argument(help: "The board, by its name in the bench file; local is this machine.")
  var board: String

  @Flag(help: "Say what would be put back, and change nothing.") var dryRun = false

  @Option(help: "How long it may take.") var timeout = "120 s"

  @OptionGroup var target: TargetOptions

  func run() async throws {
    let deadline = try Deadline.ofCommand(timeout)
    let done = try await target.withBoard(board, for: "restore", until: deadline) {
      [dryRun] target, known -> (changes: [String], image: String?) in
      var changes: [String] = []
      for run in ["restore", ""] {
        guard let settings = try known.settings(of: target, run: run) else { continue }
        if dryRun {
          changes += try settings.toBeRestored().map { "\($0.point.label): to be \($0.value)" }
        } else {
          changes += try await settings.restore(until: deadline).map(\.description)
        }
      }
      return (changes, try await known.leftImage(on: target, until: deadline))
    }
    for change in done.changes { Terminal.standardOutput.line(TextTable.printable(change)) }
    if done.changes.isEmpty { Terminal.standardOutput.line("nothing to put back") }
    if let image = done.image { Terminal.standardOutput.line(TextTable.printable(image)) }
  }
}
