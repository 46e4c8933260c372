public import KelvinConnections
public import KelvinModel
internal import Synchronization

extension Target {
  /// What is installed, by name: Android's apps, or what the package manager of a Linux has.
  ///
  /// - Throws: `unsupported` when the target has no package manager that Kelvin knows.
  public func packages(until deadline: Deadline) async throws(ConnectionFailure) -> [Package] {
    let tool = try await packageTool(until: deadline)
    return try await packages(tool, until: deadline)
  }

  /// One package of exactly this name; nil when it is not installed. An app comes with its version's
  /// name.
  public func package(
    named wanted: String, until deadline: Deadline
  ) async throws(ConnectionFailure) -> Package? {
    guard var package = try await packages(until: deadline).first(where: { $0.name == wanted })
    else { return nil }
    if try await packageTool(until: deadline) == .android {
      let result = try await runTool(["dumpsys", "package", wanted], until: deadline)
      package.version = AppDump(result.standardOutput.bytes, package: wanted).versionName
    }
    return package
  }

  /// The package manager that has something to tell, found once: a Debian may have `rpm`, too.
  public func packageTool(
    until deadline: Deadline
  ) async throws(ConnectionFailure) -> PackageTool {
    if let known = state.withLock({ $0.packageTool }) {
      if let known { return known }
    } else {
      let programs = PackageTool.allCases.map(\.program)
      let found = try await connection.findExecutables(programs, until: deadline)
      let there = zip(PackageTool.allCases, found).filter { $0.1 != nil }.map(\.0)
      var chosen = there.first
      // No Linux has a 'pm', and an Android may have no apps to tell of.
      if chosen != .android, there.count > 1 {
        for tool in there where try await !packages(tool, until: deadline).isEmpty {
          chosen = tool
          break
        }
      }
      let tool = chosen
      state.withLock { $0.packageTool = .some(tool) }
      if let tool { return tool }
    }
    throw ConnectionFailure(
      .unsupported, "\(name): no package manager that Kelvin knows",
      hint: "it knows \(PackageTool.allCases.map(\.program).joined(separator: ", "))")
  }

  private func packages(
    _ tool: PackageTool, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Package] {
    var result = try await runTool(tool.listing, until: deadline)
    // Before Android 8 there are no numbers.
    if tool == .android, !result.isSuccess || result.standardOutput.bytes.isEmpty {
      result = try await runTool(["pm", "list", "packages", "-f"], until: deadline)
    }
    guard result.isSuccess else {
      throw refusal(tool.program, result, doing: "list what is installed")
    }
    return tool.packages(result.standardOutput.bytes)
  }

  /// Runs one of the target's own tools; how it ended is the caller's to judge.
  ///
  /// - Throws: `unsupported` where there is no such tool.
  func runTool(
    _ words: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> CommandResult {
    do throws(ConnectionFailure) {
      return try await connection.execute(
        Command(words, endsDescendants: false), until: deadline)
    } catch {
      guard error.code == .notFound else { throw error }
      throw ConnectionFailure(
        .unsupported, "\(name): no '\(words[0])' there", evidence: error.message,
        hint: "is it Android?")
    }
  }

  /// What a tool that failed said, as a failure.
  func refusal(
    _ tool: String, _ result: CommandResult, doing what: String, hint: String = ""
  ) -> ConnectionFailure {
    if result.termination == .exited(127) {
      return ConnectionFailure(
        .unsupported, "\(name): cannot \(what): no '\(tool)' there",
        hint: hint.isEmpty ? "is it Android?" : hint)
    }
    let said = AppReply.text(of: result)
    return ConnectionFailure(
      .refused(said.split(separator: "\n").first.map(String.init) ?? "\(result.termination)"),
      "\(name): cannot \(what): '\(tool)' \(result.termination)",
      evidence: String(said.prefix(2000)), hint: hint)
  }
}
