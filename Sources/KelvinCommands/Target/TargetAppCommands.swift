internal import ArgumentParser
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// `kelvin target install`: an app for an Android.
struct TargetInstallCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install",
    abstract: "Installs an app on an Android, or replaces it.",
    discussion: """
      Several files are the parts of one app: they are installed together or not at all.

      EXAMPLES
        kelvin target install phone app.apk
        kelvin target install phone app.apk --grant --downgrade
        kelvin target install phone base.apk split_config.arm64_v8a.apk
      """)

  @Argument(help: "The board, by its name in the bench file.") var board: String

  @Argument(help: "APK files.", completion: .file(extensions: ["apk"])) var files: [String]

  @Flag(help: "Grant all that it asks for at run time.") var grant = false

  @Flag(help: "Take an older version, too.") var downgrade = false

  @Flag(help: "Take one that is for tests only, too.") var test = false

  @Option(help: "How long it may take.") var timeout = "5 min"

  @OptionGroup var target: TargetOptions

  func run() async throws {
    var how = AppInstallation()
    how.grantsPermissions = grant
    how.allowsDowngrade = downgrade
    how.allowsTestOnly = test
    let (wanted, parts) = (how, files)
    let deadline = try Deadline.ofCommand(timeout)
    try await target.withTarget(board, for: "install", until: deadline) {
      try await $0.installApp(parts, wanted, until: deadline)
    }
    Terminal.standardOutput.line("\(board): installed \(files.joined(separator: ", "))")
  }
}

/// `kelvin target uninstall`: removes an app of an Android.
struct TargetUninstallCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "uninstall",
    abstract: "Removes an app from an Android.",
    discussion: """
      EXAMPLES
        kelvin target uninstall phone com.example.app
        kelvin target uninstall phone com.example.app --keep-data
      """)

  @Argument(help: "The board, by its name in the bench file.") var board: String

  @Argument(help: "The app's name.") var package: String

  @Flag(help: "Leave its data.") var keepData = false

  @Option(help: "How long it may take.") var timeout = "60 s"

  @OptionGroup var target: TargetOptions

  func run() async throws {
    let (name, keeps) = (package, keepData)
    let deadline = try Deadline.ofCommand(timeout)
    try await target.withTarget(board, for: "uninstall", until: deadline) {
      try await $0.uninstallApp(name, keepsData: keeps, until: deadline)
    }
    Terminal.standardOutput.line("\(board): removed \(package)")
  }
}

/// `kelvin target start`: an app of an Android comes to the front.
struct TargetStartCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start",
    abstract: "Starts an app of an Android, and tells how long it took.",
    discussion: """
      By its name, it is what a launcher starts; by NAME/ACTIVITY any of its activities; by --action \
      whatever of the device answers to that.

      EXAMPLES
        kelvin target start phone com.example.app
        kelvin target start phone com.example.app --cold --clear --grant CAMERA
        kelvin target start phone com.example.app/.Settings --extra level=3
        kelvin target start phone --action android.intent.action.VIEW --data 'geo:0,0?q=Berlin'
      """)

  @Argument(help: "The board, by its name in the bench file.") var board: String

  @Argument(help: "The app, or one of its activities: NAME or NAME/ACTIVITY.") var app: String?

  @Option(help: "What is to be done: android.intent.action.VIEW.") var action: String?

  @Option(help: "With what: a URI.") var data: String?

  @Option(help: "Of which type: a MIME type.") var type: String?

  @Option(help: "NAME=TEXT, given along; may be repeated.") var extra: [String] = []

  @Flag(help: "End it before, so that it starts cold.") var cold = false

  @Flag(help: "Remove its data before.") var clear = false

  @Option(help: "A permission that it gets before; may be repeated.") var grant: [String] = []

  @Option(help: "How long it may take.") var timeout = "60 s"

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  @OptionGroup var target: TargetOptions

  func validate() throws {
    if app == nil, action == nil { throw ValidationError("say which app, or give an --action") }
    if app == nil, clear || cold || !grant.isEmpty {
      throw ValidationError("--cold, --clear and --grant want an app")
    }
    for setting in extra where setting.firstIndex(of: "=") == nil || setting.first == "=" {
      throw ValidationError("--extra: expected NAME=TEXT, found '\(setting)'")
    }
  }

  func run() async throws {
    let deadline = try Deadline.ofCommand(timeout)
    var intent = Intent(action: action, data: data, type: type)
    for setting in extra {
      let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      intent.extras[String(parts[0])] = String(parts[1])
    }
    let (asked, name, clears, grants, stops) = (intent, app, clear, grant, cold)
    let start = try await target.withTarget(board, for: "start", until: deadline) {
      target -> AppStart in
      var intent = asked
      if let name {
        let package = String(name.prefix { $0 != "/" })
        if clears { try await target.clearApp(package, until: deadline) }
        for permission in grants {
          try await target.grant(permission, to: package, until: deadline)
        }
        if name.contains("/") {
          intent.component = name
        } else if intent.action != nil {
          intent.package = name
        } else {
          intent.component = try await target.launchActivity(of: name, until: deadline)
        }
      }
      return try await target.start(intent, stopsFirst: stops, until: deadline)
    }
    print(start)
    if start.state != .ok { throw CommandExit(code: 1) }
  }

  private func print(_ start: AppStart) {
    var map: [String: Value] = ["status": .text(start.state.rawValue)]
    if let activity = start.activity { map["activity"] = .text(activity) }
    if let state = start.launchState { map["launch_state"] = .text(state) }
    if let time = start.totalTime { map["total_ms"] = .integer(time) }
    if let time = start.waitTime { map["wait_ms"] = .integer(time) }
    if let warning = start.warning { map["warning"] = .text(warning) }
    if format == .json { return Terminal.standardOutput.line(Value.map(map).json) }
    var text = TextTable.printable("\(board): \(start.activity ?? app ?? action ?? "started")")
    if let time = start.totalTime { text += ": first frame after \(time) ms" }
    if let state = start.launchState { text += TextTable.printable(" (\(state))") }
    if start.state == .timeout { text += ": Android has not seen it drawn in time" }
    Terminal.standardOutput.line(text)
    if let warning = start.warning {
      Terminal.standardError.line(TextTable.printable("kelvin: \(board): \(warning)"))
    }
  }
}

/// `kelvin target stop`: an app of an Android ends.
struct TargetStopCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop",
    abstract: "Ends all that an app of an Android runs.",
    discussion: """
      'kelvin target processes' ends others.

      EXAMPLES
        kelvin target stop phone com.example.app
        kelvin target stop phone com.example.app --clear
      """)

  @Argument(help: "The board, by its name in the bench file.") var board: String

  @Argument(help: "The app's name.") var package: String

  @Flag(help: "Remove its data, too.") var clear = false

  @Option(help: "How long it may take.") var timeout = "60 s"

  @OptionGroup var target: TargetOptions

  func run() async throws {
    let (name, clears) = (package, clear)
    let deadline = try Deadline.ofCommand(timeout)
    try await target.withTarget(board, for: "stop", until: deadline) { target in
      try await target.stopApp(name, until: deadline)
      if clears { try await target.clearApp(name, until: deadline) }
    }
  }
}
