/// What Android is asked to start.
public struct Intent: Sendable, Hashable {
  /// `com.example.app/.Main`
  public var component: String?
  /// `android.intent.action.VIEW`
  public var action: String?
  /// A URI.
  public var data: String?
  public var type: String?
  public var categories: [String]
  /// Only activities of this app.
  public var package: String?
  /// Extras that are texts.
  public var extras: [String: String]

  /// Describes an intent.
  public init(
    component: String? = nil, action: String? = nil, data: String? = nil, type: String? = nil,
    categories: [String] = [], package: String? = nil, extras: [String: String] = [:]
  ) {
    self.component = component
    self.action = action
    self.data = data
    self.type = type
    self.categories = categories
    self.package = package
    self.extras = extras
  }

  /// For `am start` (AOSP Intent.java, parseCommandArgs).
  var words: [String] {
    var words: [String] = []
    if let action { words += ["-a", action] }
    if let data { words += ["-d", data] }
    if let type { words += ["-t", type] }
    for category in categories { words += ["-c", category] }
    for (name, value) in extras.sorted(by: { $0.key < $1.key }) { words += ["--es", name, value] }
    if let component { words += ["-n", component] }
    if let package { words += ["-p", package] }
    return words
  }
}

/// How an activity was started, as `am start -W` says.
///
/// Source: AOSP ActivityManagerShellCommand.java, runStartActivity: lines of `Status: ok` (or
/// `timeout`), `LaunchState: COLD` (Android 10 and later), `Activity: com.example.app/.Main`,
/// `ThisTime: 345` (before Android 10), `TotalTime: 345`, `WaitTime: 350`, `Complete`; times in
/// milliseconds.
public struct AppStart: Sendable, Hashable {
  public enum State: String, Sendable, Hashable { case ok, timeout }
  public let state: State
  /// `COLD`, `WARM`, `HOT`, and others; nil before Android 10.
  public let launchState: String?
  /// What is in front.
  public let activity: String?
  /// Until the first frame, in milliseconds; nil when nothing was started, because it was in front.
  public let totalTime: Int64?
  /// As the caller saw it, in milliseconds.
  public let waitTime: Int64?
  /// `Activity not started, its current task has been brought to the front`, or the like.
  public let warning: String?

  /// Reads an answer.
  ///
  /// - Returns: nil when it is an error, was cut, or has no state.
  init?(_ text: String) {
    var values: [Substring: String] = [:]
    var warning: String?
    var isComplete = false
    for line in text.split(whereSeparator: \.isNewline) {
      if line.hasPrefix("Error") { return nil }
      if line == "Complete" { isComplete = true }
      guard let colon = line.firstIndex(of: ":") else { continue }
      let value = line[line.index(after: colon)...].trimmingBlanks
      if line.hasPrefix("Warning:") { warning = value } else { values[line[..<colon]] = value }
    }
    guard isComplete, let state = values["Status"].flatMap(State.init) else { return nil }
    self.state = state
    self.warning = warning
    launchState = values["LaunchState"]
    activity = values["Activity"]
    totalTime = values["TotalTime"].flatMap { Int64($0) }.flatMap { $0 < 0 ? nil : $0 }
    waitTime = values["WaitTime"].flatMap { Int64($0) }.flatMap { $0 < 0 ? nil : $0 }
  }
}
