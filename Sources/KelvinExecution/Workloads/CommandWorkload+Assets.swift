internal import Glibc
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// A host file that a workload brings to the target.
struct HostAsset: Sendable, Hashable {
  var asset: Asset
  var checksum: String

  /// Whether a word of the command line means this file.
  func isNamed(_ word: String) -> Bool { word == asset.hostPath || word == "./\(asset.name)" }

  /// The name of a directory for these files together, the same for the same content.
  static func directory(of files: [HostAsset]) -> String {
    let text = files.map { "\($0.checksum) \($0.asset.name)\n" }.joined()
    return String(Checksum.sha256(Array(text.utf8)).prefix(12))
  }
}

extension CommandWorkload {
  // MARK: Programs

  /// The programs that the command line needs: those that are declared, and its first word.
  func requirements(for program: String) -> [Requirement] {
    let chosen = recipe.optional.filter { $0.program == program }
    let declared = recipe.requirements + chosen
    return declared.contains { $0.program == program }
      ? declared : declared + [Requirement(program)]
  }

  func find(_ requirement: Requirement, _ job: JobContext) async throws -> Program {
    let isBrought =
      recipe.bringsPrograms(parameters)
      && (recipe.requirements + recipe.optional).contains(requirement)
    if let program = try await job.target.program(
      named: requirement.program, isBrought: isBrought,
      assetDirectories: HostAssets.directories(for: recipe.declaration.name),
      until: job.deadline)
    {
      return program
    }
    let name = requirement.program
    if isBrought {
      throw PlainFailure(
        .configuration, "'\(name)' is not among the assets of this host",
        hint: "put a binary into ~/.config/kelvin/assets/<abi>/, or use the target's own")
    }
    throw PlainFailure(
      .target, "'\(name)' is not on \(job.target.name)",
      evidence: name.contains("/")
        ? "no program at this path" : "neither on its PATH nor among the assets",
      hint: requirement.hint)
  }

  func requireRoot(_ job: JobContext) async throws {
    let result = try await job.target.connection.execute(
      Command(["id", "-u"]), until: job.deadline)
    guard result.standardOutput.text.trimmingASCIIWhitespace != "0" else { return }
    throw PlainFailure(
      .configuration,
      "\(recipe.declaration.name): needs root, and Kelvin is not root on \(job.target.name)",
      hint: parameters["as_root"]?.boolean == true
        ? "connect as root (here: sudo), or leave as_root out" : "connect as root (here: sudo)")
  }

  // MARK: Files

  /// The files of the recipe and those that the user lists, each once.
  func hostAssets() throws -> [HostAsset] {
    var assets: [HostAsset] = []
    for path in recipe.files(parameters) + parameters.words("files")
    where !assets.contains(where: { $0.asset.hostPath == path }) {
      let checksum: String
      do {
        checksum = try Checksum.sha256(ofFile: path)
      } catch {
        throw PlainFailure(
          .configuration, "'\(path)' cannot be read: \(error)",
          hint: "relative paths start where the agenda is")
      }
      let name = path.split(separator: "/").last.map(String.init) ?? path
      if let other = assets.first(where: { $0.asset.name == name }) {
        throw PlainFailure(
          .configuration,
          "'\(path)' and '\(other.asset.hostPath)' would have the same name on the target",
          hint: "rename one of them")
      }
      assets.append(
        HostAsset(
          asset: Asset(hostPath: path, name: name, isExecutable: access(path, X_OK) == 0),
          checksum: checksum))
    }
    return assets
  }

  /// Brings files, and puts their paths there into the launch.
  func bring(
    _ files: [HostAsset], into launch: inout Launch, _ job: JobContext
  ) async throws -> [HostAsset] {
    let brought = try files.map { try edited($0, job) }
    let directory = HostAsset.directory(of: brought)
    for (file, original) in zip(brought, files) {
      let path = try await job.target.install(
        file.asset, checksum: file.checksum, in: directory, until: job.deadline)
      launch.workingDirectory = path.parent
      launch.environment["KELVIN_FILE_\(CommandWorkload.variable(file.asset.name))"] = path.string
      for (index, word) in launch.argv.enumerated() {
        // './name' is the program only as the first word: elsewhere it is relative already.
        if word == original.asset.hostPath || (index == 0 && original.isNamed(word)) {
          launch.argv[index] = path.string
        }
      }
    }
    return brought
  }

  /// The file with what the parameters change in it, kept with the attempt; or as it is.
  private func edited(_ file: HostAsset, _ job: JobContext) throws -> HostAsset {
    guard recipe.files(parameters).contains(file.asset.hostPath),
      let bytes = try recipe.edit(parameters, HostFile.read(file.asset.hostPath))
    else { return file }
    try job.write(
      bytes, to: file.asset.name, kind: .meta, description: "as it was brought to the target",
      source: recipe.declaration.name)
    var edited = file
    edited.asset.hostPath = try job.directory() + "/" + file.asset.name
    edited.checksum = Checksum.sha256(bytes)
    return edited
  }

  func remove(_ brought: [HostAsset], _ job: JobContext) async throws {
    let directory = HostAsset.directory(of: brought)
    for file in brought {
      try await job.target.uninstall(
        file.asset, checksum: file.checksum, in: directory, until: job.deadline)
    }
  }

  private static func variable(_ name: String) -> String {
    String(name.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  }

  // MARK: A directory for one attempt

  private func ownDirectory(_ job: JobContext) async throws -> TargetPath {
    try await job.target.workingPath("attempt-\(job.attemptID)", until: job.deadline)
  }

  func makeDirectory(_ job: JobContext) async throws -> TargetPath {
    let path = try await ownDirectory(job)
    let result = try await job.target.connection.execute(
      Command(["mkdir", "-p", path.string]), until: job.deadline)
    guard result.isSuccess else {
      throw PlainFailure(
        .target, "\(path): cannot be made on \(job.target.name)",
        evidence: Tail.printable(result.standardError.bytes))
    }
    return path
  }

  /// Keeps what the workload left as results in its own directory.
  func pullResults(_ job: JobContext) async throws {
    guard recipe.needsDirectory(parameters) else { return }
    let connection = job.target.connection
    var directory = job.launch?.workingDirectory
    if directory == nil { directory = try await ownDirectory(job) }
    guard let directory else { return }
    for entry in try await connection.list(directory, depth: 1, until: job.deadline) {
      let name = entry.path.string.split(separator: "/").last.map(String.init) ?? ""
      guard entry.kind == .file, recipe.isResult(name) else { continue }
      try await connection.pull(
        entry.path, to: try job.directory() + "/" + name, until: job.deadline)
      job.add(
        Artifact(
          name: name, path: job.relativeDirectory + "/" + name, kind: .raw,
          description: "left by the workload", source: recipe.declaration.name))
    }
  }

  func removeDirectory(_ job: JobContext) async throws {
    guard recipe.needsDirectory(parameters) else { return }
    try await job.target.connection.remove(await ownDirectory(job), until: job.deadline)
  }
}

/// Where the host keeps files for workloads.
enum HostAssets {
  /// Directories to search, the strongest first.
  static func directories(for workload: String) -> [String] {
    var directories: [String] = []
    if let own = getenv("KELVIN_ASSETS") { directories.append(String(cString: own)) }
    if let home = getenv("HOME").map({ String(cString: $0) }) {
      directories.append(home + "/.config/kelvin/assets")
      directories.append(home + "/.workload_automation/dependencies/\(workload)/bin")
    }
    return directories
  }
}

extension TargetPath {
  /// The directory that this path is in.
  var parent: TargetPath {
    guard let slash = string.lastIndex(of: "/"), slash != string.startIndex else { return "/" }
    return TargetPath(String(string[..<slash]))
  }
}
