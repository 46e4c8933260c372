internal import Glibc
internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets
internal import Synchronization

/// Runs a recipe's command on the target, and judges it by its own exit code and output.
public struct CommandWorkload: Workload {
  private let recipe: Recipe
  private let parameters: Parameters
  private let scan: OutputScan
  private let exitCodes: [Int32]
  private let areMetricsRequired: Bool
  private let affinity: [Int]?
  /// Found in initialization: the command's words with programs resolved, files on the target.
  private let prepared = BoardState<Prepared?>(nil)

  private struct Prepared: Sendable {
    var argv: [String]
    var files: [(asset: Asset, checksum: String)] = []
  }

  /// Creates it for a spec.
  public init(_ recipe: Recipe, _ spec: JobSpec) throws {
    self.recipe = recipe
    parameters = Parameters(values: spec.parameters)
    var scan = OutputScan()
    scan.metrics = try MetricPattern.from(parameters["metrics"])
    scan.pass = try parameters.words("pass").map { try Pattern($0) }
    scan.fail = try parameters.words("fail").map { try Pattern($0) }
    self.scan = scan
    exitCodes = (parameters["exit_codes"]?.list ?? [0]).compactMap { $0.integer.map(Int32.init) }
    areMetricsRequired = parameters["metrics_required"]?.boolean ?? true
    affinity = try CommandWorkload.affinity(parameters)
  }

  /// Options of every workload that is a command.
  public static let commonOptions = [
    OptionDeclaration(
      "environment", .map(.text), aliases: ["env"], default: [:],
      "Variables added to the target's environment."),
    OptionDeclaration(
      "working_directory", .text, "Where the command runs on the target; default: Kelvin's own."),
    OptionDeclaration(
      "cpus", .text, aliases: ["affinity"], "CPUs that it may run on, as '0-3,8'; default: all."),
    OptionDeclaration(
      "taskset_mask", .text, "The same as a hexadecimal mask, as Workload Automation has it."),
    OptionDeclaration(
      "niceness", .integer, aliases: ["nice"], range: -20...19, "From -20 (favored) to 19."),
    OptionDeclaration(
      "priority", .integer, range: 1...99, "Priority under SCHED_FIFO; default: not real-time."),
    OptionDeclaration(
      "files", .list(.path), default: [],
      "Host files that are brought into the working directory on the target; then the command runs "
        + "there."),
    OptionDeclaration(
      "metrics", .map(.structure(MetricPattern.options, shorthand: "pattern")), default: [:],
      "Metrics from the output: a pattern for each name, or a map of pattern, unit and "
        + "lower_is_better. The last matching line counts."),
    OptionDeclaration(
      "metrics_required", .boolean, default: true,
      "Fail the job when a metric's pattern matches nothing."),
    OptionDeclaration(
      "pass", .list(.pattern), default: [],
      "Patterns that the output must match, each in some line."),
    OptionDeclaration("fail", .list(.pattern), default: [], "Patterns that no line may match."),
    OptionDeclaration(
      "exit_codes", .list(.integer), default: [0], range: 0...255, "Exit codes that mean success.")
  ]

  private static func affinity(_ parameters: Parameters) throws -> [Int]? {
    if let text = parameters.text("cpus") {
      guard let cpus = CPUList.parse(text), !cpus.isEmpty else {
        throw PlainFailure(
          .configuration, "cpus: '\(text)' is no list of CPUs", hint: "write for example '0-3,8'")
      }
      return cpus
    }
    guard let text = parameters.text("taskset_mask"), text != "0" else { return nil }
    let digits = text.hasPrefix("0x") ? text.dropFirst(2) : text[...]
    guard let mask = UInt64(digits, radix: 16), mask != 0 else {
      throw PlainFailure(
        .configuration, "taskset_mask: '\(text)' is no hexadecimal mask",
        hint: "write for example '0x3' for CPUs 0 and 1, or use cpus: 0-1")
    }
    return (0..<64).filter { mask >> UInt64($0) & 1 == 1 }
  }

  // MARK: Stages

  public func initialize(_ job: JobContext) async throws {
    var argv = try recipe.argv(parameters)
    var fingerprint: [String: String] = [:]
    var requirements = recipe.requirements
    if let first = argv.first, !requirements.contains(where: { $0.program == first }) {
      requirements.append(
        recipe.optional.first { $0.program == first } ?? Requirement(first))
    }
    for requirement in requirements {
      let program = try await find(requirement, job)
      if let checksum = program.checksum {
        fingerprint["program \(requirement.program)"] = "\(program.path) sha256 \(checksum)"
      }
      for index in argv.indices where argv[index] == requirement.program {
        // Only the program itself and what a wrapper runs, never an ordinary argument.
        if index == 0 || requirement.program == argv[0] { argv[index] = program.path.string }
        break
      }
    }
    var prepared = Prepared(argv: argv)
    for file in recipe.files(parameters) + parameters.words("files") {
      let name = file.split(separator: "/").last.map(String.init) ?? file
      guard let checksum = try? Checksum.sha256(ofFile: file) else {
        throw PlainFailure(
          .configuration, "'\(file)' cannot be read: \(Errno.current)")
      }
      fingerprint["file \(name)"] = "sha256 \(checksum)"
      prepared.files.append(
        (Asset(hostPath: file, name: name, isExecutable: access(file, X_OK) == 0), checksum))
    }
    self.prepared.value = prepared
    job.addFingerprint(fingerprint)
  }

  private func find(_ requirement: Requirement, _ job: JobContext) async throws -> Program {
    let name = requirement.program
    if let program = try await job.target.program(
      named: name, assetDirectories: HostAssets.directories(for: recipe.declaration.name),
      until: job.deadline)
    {
      return program
    }
    throw PlainFailure(
      .target, "'\(name)' is not on \(job.target.name)",
      evidence: "neither on its PATH nor among the assets",
      hint: requirement.hint)
  }

  public func setup(_ job: JobContext) async throws {
    guard let prepared = prepared.value else {
      throw PlainFailure(.internal, "workload '\(recipe.declaration.name)' was not initialized")
    }
    var launch = Launch(argv: prepared.argv, environment: recipe.environment)
    for (name, value) in parameters["environment"]?.map ?? [:] {
      launch.environment[name] = value.text
    }
    for (asset, checksum) in prepared.files {
      let path = try await job.target.install(asset, checksum: checksum, until: job.deadline)
      // Each file has a directory of its own content; the command runs in the first one's.
      if launch.workingDirectory == nil { launch.workingDirectory = path.parent }
      launch.environment["KELVIN_FILE_\(CommandWorkload.variable(asset.name))"] = path.string
      launch.argv = launch.argv.map { $0 == asset.hostPath ? path.string : $0 }
    }
    if let directory = parameters.text("working_directory") {
      launch.workingDirectory = TargetPath(directory)
    }
    launch.affinity = affinity
    launch.niceness = parameters.integer("niceness").map(Int.init)
    launch.realtimePriority = parameters.integer("priority").map(Int.init)
    job.launch = launch
  }

  private static func variable(_ name: String) -> String {
    String(name.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  }

  public func run(_ job: JobContext) async throws {
    let result = try await job.runLaunch()
    switch result.termination {
    case .exited(let code) where exitCodes.contains(code): return
    case .exited(let code):
      throw PlainFailure(
        .workload, "'\(program(job))' exited with \(code)", evidence: lastWords(job))
    case .signaled(let number):
      throw PlainFailure(
        .workload, "'\(program(job))' was ended by signal \(number) (\(signalName(number)))",
        evidence: lastWords(job))
    }
  }

  private func program(_ job: JobContext) -> String {
    job.launch?.argv.first ?? recipe.declaration.name
  }

  private func signalName(_ number: Int32) -> String {
    strsignal(number).map { String(cString: $0) } ?? "unknown"
  }

  /// The end of what it said, standard error first.
  private func lastWords(_ job: JobContext) -> String {
    let directory = job.run.directory + "/" + job.relativeDirectory
    let error = Tail.text(of: directory + "/stderr")
    return error.isEmpty ? Tail.text(of: directory + "/stdout") : error
  }

  public func extractResults(_ job: JobContext) async throws {
    guard let result = job.result else { return }
    let directory = job.run.directory + "/" + job.relativeDirectory
    let hasOutput = result.standardOutput.totalBytes > 0 || result.standardError.totalBytes > 0
    if hasOutput {
      job.add(
        try recipe.parse(
          WorkloadOutput(
            parameters: parameters, standardOutputPath: directory + "/stdout",
            standardErrorPath: directory + "/stderr", source: recipe.declaration.name)))
    }
    guard !scan.isEmpty else { return }
    let findings = try scan.run(
      standardOutput: directory + "/stdout", standardError: directory + "/stderr",
      source: recipe.declaration.name, until: job.deadline)
    job.add(findings.metrics.compactMap(\.self))
    if findings.cutLines > 0 {
      job.record(
        .warning, source: recipe.declaration.name,
        "\(findings.cutLines) line(s) of the output are longer than 1 MiB; patterns saw the first")
    }
    if let failing = findings.failing {
      throw PlainFailure(
        .workload, "the output matches the fail pattern '\(failing.pattern)'",
        evidence: failing.line)
    }
    if let missing = findings.missing.first {
      throw PlainFailure(
        .workload, "no line of the output matches the pass pattern '\(missing)'",
        evidence: lastWords(job))
    }
    let absent = zip(scan.metrics, findings.metrics).filter { $1 == nil }.map(\.0)
    guard let first = absent.first else { return }
    let text = "metric '\(first.name)': no line of the output matches '\(first.pattern.source)'"
    if areMetricsRequired {
      throw PlainFailure(.workload, text, evidence: lastWords(job))
    }
    job.record(.warning, source: recipe.declaration.name, text)
  }

  public func teardown(_ job: JobContext) async throws {
    guard job.spec.cleanupAssets, let prepared = prepared.value else { return }
    for (asset, checksum) in prepared.files {
      try await job.target.uninstall(asset, checksum: checksum, until: job.deadline)
    }
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
