internal import Glibc
public import KelvinConnections
public import KelvinModel
internal import KelvinSystem

/// How an app is installed.
public struct AppInstallation: Sendable, Hashable {
  /// Grant everything that it asks for at run time (Android 6 and later).
  public var grantsPermissions = false
  /// Take an older one for a newer one; production builds allow that for debuggable apps only.
  public var allowsDowngrade = false
  /// Take one that says of itself that it is for tests only.
  public var allowsTestOnly = false

  /// Replaces what is there, and keeps its data.
  public init() {}

  /// For `pm install`.
  var words: [String] {
    ["-r"] + (grantsPermissions ? ["-g"] : []) + (allowsDowngrade ? ["-d"] : [])
      + (allowsTestOnly ? ["-t"] : [])
  }
}

extension Target {
  /// Installs an app: one APK file of the host, or all of a split app, which are installed together or
  /// not at all.
  ///
  /// - Throws: `refused` with pm's code, such as `INSTALL_FAILED_VERSION_DOWNGRADE`; `hostFile`.
  public func installApp(
    _ files: [String], _ how: AppInstallation = .init(), until deadline: Deadline
  ) async throws(ConnectionFailure) {
    let sizes = try files.map { file throws(ConnectionFailure) in
      var status = stat()
      guard stat(file, &status) == 0 else { throw Target.hostFailure(file, .current) }
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw Target.hostFailure(file, Errno(EISDIR))
      }
      return Int64(status.st_size)
    }
    try await requireAndroid(until: deadline)
    let directory = try await workingPath("apks", until: deadline)
    let copies = files.indices.map { index in
      FileCopy(
        hostPath: files[index], path: directory.appending("\(index).apk"), size: sizes[index])
    }
    do throws(ConnectionFailure) {
      for group in FileCopy.groups(copies) { try await connection.push(group, until: deadline) }
      let paths = copies.map(\.path.string)
      if let path = paths.first, paths.count == 1 {
        try await askPM(
          ["install"] + how.words + [path], doing: "install \(files[0])", until: deadline)
      } else {
        try await installSplits(files, paths, sizes, how, until: deadline)
      }
    } catch {
      // What an installation left must not fill the target.
      try? await connection.remove(directory, until: .after(seconds: 5))
      throw error
    }
    try await connection.remove(directory, until: deadline)
  }

  private func installSplits(
    _ files: [String], _ paths: [String], _ sizes: [Int64], _ how: AppInstallation,
    until deadline: Deadline
  ) async throws(ConnectionFailure) {
    let what = "install \(files.count) APK files"
    let total = sizes.reduce(0, +)
    let reply = try await askPM(
      ["install-create"] + how.words + ["-S", "\(total)"], doing: what, until: deadline)
    guard let session = reply.session else {
      throw ConnectionFailure(
        .badReply, "\(name): pm install-create named no session", evidence: "\(reply.kind)")
    }
    do throws(ConnectionFailure) {
      for index in paths.indices {
        try await askPM(
          [
            "install-write", "-S", "\(sizes[index])", "\(session)", "\(index).apk", paths[index]
          ], doing: "hand over \(files[index])", until: deadline)
      }
      try await askPM(["install-commit", "\(session)"], doing: what, until: deadline)
    } catch {
      _ = try? await runTool(
        ["pm", "install-abandon", "\(session)"], until: .after(seconds: 5))
      throw error
    }
  }

  /// Removes an app, and its data unless they shall stay.
  ///
  /// - Throws: `notFound` when it is not installed; `refused` with what pm says.
  public func uninstallApp(
    _ package: String, keepsData: Bool = false, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await requireApp(package, until: deadline)
    try await askPM(
      ["uninstall"] + (keepsData ? ["-k"] : []) + [package], doing: "uninstall \(package)",
      until: deadline)
  }

  /// Stops an app and removes its data, as if it had just been installed.
  ///
  /// - Throws: `notFound` when it is not installed; `refused` with what pm says.
  public func clearApp(
    _ package: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await requireApp(package, until: deadline)
    try await askPM(["clear", package], doing: "clear the data of \(package)", until: deadline)
  }

  /// Grants a permission that an app asks for: `android.permission.CAMERA`, or `CAMERA` for short.
  ///
  /// - Throws: `notFound` when it is not installed; `refused` when it never asked for this one, or when
  ///   this one is not for users to grant.
  public func grant(
    _ permission: String, to package: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await requireApp(package, until: deadline)
    let full = permission.contains(".") ? permission : "android.permission.\(permission)"
    let result = try await runTool(["pm", "grant", package, full], until: deadline)
    // It says nothing when it worked; before Android 7 it ended with 0 when it did not.
    guard result.isSuccess, !AppReply.text(of: result).contains("Exception"),
      !AppReply.text(of: result).contains("not allowed")
    else {
      throw refusal(
        "pm", result, doing: "grant \(full) to \(package)",
        hint: "does its manifest ask for it, and may users grant it?")
    }
  }

  /// Asks pm, and takes nothing but `Success` for one.
  @discardableResult
  private func askPM(
    _ words: [String], doing what: String, until deadline: Deadline
  ) async throws(ConnectionFailure) -> AppReply {
    let result = try await runTool(["pm"] + words, until: deadline)
    let reply = AppReply(result)
    switch reply.kind {
    case .success: return reply
    case .failure(let code, let text):
      throw ConnectionFailure(
        .refused(code == "FAILED" && !text.isEmpty ? text : code),
        "\(name): cannot \(what): \([code, text].filter { !$0.isEmpty }.joined(separator: ": "))",
        evidence: String(AppReply.text(of: result).prefix(2000)), hint: AppReply.hint(for: code))
    case .unknown: throw refusal("pm", result, doing: what)
    }
  }

  private func requireApp(
    _ package: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await requireAndroid(until: deadline)
    let result = try await runTool(["pm", "path", package], until: deadline)
    guard result.standardOutput.text.hasPrefix("package:") else {
      throw ConnectionFailure(
        .notFound, "\(name): no app '\(package)' is installed",
        evidence: String(AppReply.text(of: result).prefix(500)),
        hint: "'kelvin target packages \(name)' lists them")
    }
  }

  func requireAndroid(until deadline: Deadline) async throws(ConnectionFailure) {
    guard try await packageTool(until: deadline) == .android else {
      throw ConnectionFailure(
        .unsupported, "\(name): has no apps: it is not Android",
        hint: "'kelvin target push' and 'kelvin target exec' bring and run programs")
    }
  }

  private static func hostFailure(_ path: String, _ error: Errno) -> ConnectionFailure {
    ConnectionFailure(.hostFile(error), "\(path): \(error)")
  }
}
