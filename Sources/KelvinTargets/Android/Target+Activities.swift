public import KelvinConnections
public import KelvinModel

extension Target {
  /// Starts an activity, and waits until its first frame is drawn.
  ///
  /// - Parameter stopsFirst: end the app before, so that it starts cold.
  /// - Throws: `notFound` when there is no such activity; `refused` with what am says; `unsupported`
  ///   where there is no am.
  public func start(
    _ intent: Intent, stopsFirst: Bool = false, until deadline: Deadline
  ) async throws(ConnectionFailure) -> AppStart {
    let result = try await runTool(
      ["am", "start", "-W"] + (stopsFirst ? ["-S"] : []) + intent.words, until: deadline)
    let text = AppReply.text(of: result)
    // Many versions end with 0 in every case.
    if let start = AppStart(text) { return start }
    let errors = text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("Error") }
    let reason = errors.last.map { String($0.drop { $0 != ":" }.dropFirst()).trimmingBlanks } ?? ""
    guard !errors.isEmpty else { throw refusal("am", result, doing: "start \(intent.text)") }
    let isMissing = text.contains("does not exist") || text.contains("unable to resolve Intent")
    throw ConnectionFailure(
      isMissing ? .notFound : .refused(reason), "\(name): cannot start \(intent.text): \(reason)",
      evidence: String(text.prefix(2000)))
  }

  /// The activity by which a launcher starts an app: `com.example.app/.Main`.
  ///
  /// - Throws: `notFound` when the app has none, or is not there.
  public func launchActivity(
    of package: String, until deadline: Deadline
  ) async throws(ConnectionFailure) -> String {
    let result = try await runTool(
      [
        "cmd", "package", "resolve-activity", "--brief", "-a", "android.intent.action.MAIN", "-c",
        "android.intent.category.LAUNCHER", package
      ], until: deadline)
    // The first line is about priorities, where there is one.
    let lines = result.standardOutput.text.split(whereSeparator: \.isNewline)
    if let component = lines.last, component.hasPrefix(package + "/") { return String(component) }
    if result.termination == .exited(127) {
      throw refusal("cmd", result, doing: "find what starts \(package)")
    }
    throw ConnectionFailure(
      .notFound, "\(name): '\(package)' has no activity that a launcher starts, or is not there",
      evidence: String(AppReply.text(of: result).prefix(500)),
      hint: "name the activity: '\(package)/.Main'; 'kelvin target packages \(name)' lists apps")
  }

  /// Ends all that an app runs.
  public func stopApp(
    _ package: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await requireAndroid(until: deadline)
    // am says nothing of an app that is not there: a misspelt name would look well.
    guard try await self.package(named: package, until: deadline) != nil else {
      throw ConnectionFailure(
        .notFound, "\(name): no app '\(package)' is installed",
        hint: "'kelvin target packages \(name)' lists them")
    }
    let result = try await runTool(["am", "force-stop", package], until: deadline)
    guard result.isSuccess, !AppReply.text(of: result).contains("Exception") else {
      throw refusal("am", result, doing: "stop \(package)")
    }
  }
}

extension Intent {
  /// For messages.
  var text: String { component ?? action ?? data ?? package ?? "an empty intent" }
}
