internal import Glibc
internal import KelvinConnections
public import KelvinModel
internal import KelvinPatterns
internal import KelvinStore
internal import KelvinTargets
internal import Synchronization

/// Runs a recipe's command on the target, and judges it by its own exit code and output.
public struct CommandWorkload: Workload {
  let recipe: Recipe
  let parameters: Parameters
  private let scan: OutputScan
  private let exitCodes: [Int32]
  private let areMetricsRequired: Bool
  private let affinity: [Int]?
  /// Found in initialization: the command's words with programs resolved, files on the host.
  private let prepared = BoardConfined<Prepared?>(nil)

  struct Prepared: Sendable {
    var argv: [String]
    var files: [HostAsset] = []
    /// The same as they were brought last, with what the parameters changed in them.
    var brought: [HostAsset] = []
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
    affinity = try CPUChoice.cpus(parameters["cpus"])
  }

  // MARK: Stages

  public func initialize(_ job: JobContext) async throws {
    let argv = try recipe.argv(parameters)
    guard let program = argv.first, !program.isEmpty else {
      throw PlainFailure(.configuration, "\(recipe.declaration.name): the command line is empty")
    }
    if recipe.needsRoot(parameters) { try await requireRoot(job) }
    var prepared = Prepared(argv: argv)
    prepared.files = try hostAssets()
    var fingerprint: [String: String] = [:]
    for file in prepared.files {
      fingerprint["file \(file.asset.name)"] = "sha256 \(file.checksum)"
    }
    // A program among the files is brought, not looked for.
    let isBrought = prepared.files.contains { $0.isNamed(program) }
    for requirement in requirements(for: program) where !isBrought {
      let found = try await find(requirement, job)
      if let checksum = found.checksum {
        fingerprint["program \(requirement.program)"] = "\(found.path) sha256 \(checksum)"
      }
      if let index = argv.firstIndex(of: requirement.program) {
        prepared.argv[index] = found.path.string
      }
    }
    self.prepared.value = prepared
    job.addFingerprint(fingerprint)
    if case .integer(let mask) = parameters["cpus"], let affinity {
      job.run.log.log(
        .info, source: job.spec.id, "cpus: \(mask) is a mask: CPUs \(CPUList.text(affinity))")
    }
  }

  public func setup(_ job: JobContext) async throws {
    guard let prepared = prepared.value else {
      throw PlainFailure(.internal, "workload '\(recipe.declaration.name)' was not initialized")
    }
    var launch = Launch(argv: prepared.argv, environment: recipe.environment)
    for (name, value) in parameters["environment"]?.map ?? [:] {
      launch.environment[name] = value.text
    }
    if !prepared.files.isEmpty {
      self.prepared.value?.brought = try await bring(prepared.files, into: &launch, job)
    }
    if recipe.needsDirectory(parameters) {
      launch.workingDirectory = try await makeDirectory(job)
    }
    if let directory = parameters.text("working_directory") {
      launch.workingDirectory = TargetPath(directory)
    }
    if let text = parameters.text("stdin") { launch.standardInput = .bytes(Array(text.utf8)) }
    launch.affinity = affinity
    launch.niceness = parameters.integer("niceness").map(Int.init)
    launch.realtimePriority = parameters.integer("priority").map(Int.init)
    job.launch = launch
  }

  public func run(_ job: JobContext) async throws {
    if let seconds = parameters.number("timeout") {
      job.deadline = .after(seconds: seconds, interrupt: job.deadline.interrupt)
    }
    let result = try await job.runLaunch()
    guard !endedWell(result) else { return }
    let program = job.launch?.argv.first ?? recipe.declaration.name
    switch result.termination {
    case .exited(let code):
      throw PlainFailure(.workload, "'\(program)' exited with \(code)", evidence: lastWords(job))
    case .signaled(let number):
      let name = strsignal(number).map { String(cString: $0) } ?? "unknown"
      throw PlainFailure(
        .workload, "'\(program)' was ended by signal \(number) (\(name))",
        evidence: lastWords(job))
    }
  }

  public func extractResults(_ job: JobContext) async throws {
    guard let result = job.result else { return }
    try await pullResults(job)
    let isJudged = endedWell(result)
    let directory = job.run.directory + "/" + job.relativeDirectory
    var metrics: [Metric] = []
    if result.standardOutput.totalBytes > 0 || result.standardError.totalBytes > 0 {
      metrics = try recipe.parse(
        WorkloadOutput(
          parameters: parameters, standardOutputPath: directory + "/stdout",
          standardErrorPath: directory + "/stderr", source: recipe.declaration.name))
      job.add(metrics)
    }
    if isJudged, metrics.isEmpty, !recipe.declaration.metrics.isEmpty {
      try miss("\(recipe.declaration.name): its output has none of the figures it reports", job)
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
    // What a command that failed did not get to print says nothing more.
    guard isJudged else { return }
    if let missing = findings.missing.first {
      throw PlainFailure(
        .workload, "no line of the output matches the pass pattern '\(missing)'",
        evidence: lastWords(job))
    }
    for (rule, metric) in zip(scan.metrics, findings.metrics) where metric == nil {
      try miss(
        "metric '\(rule.name)': no line of the output matches '\(rule.pattern.source)'", job)
    }
  }

  public func teardown(_ job: JobContext) async throws {
    try await removeDirectory(job)
    guard parameters["cleanup_assets"]?.boolean ?? job.spec.cleanupAssets,
      let prepared = prepared.value
    else { return }
    try await remove(prepared.brought, job)
  }

  // MARK: Judging

  private func endedWell(_ result: CommandResult) -> Bool {
    guard case .exited(let code) = result.termination else { return false }
    return exitCodes.contains(code)
  }

  /// A figure that should be there is not.
  private func miss(_ text: String, _ job: JobContext) throws {
    if areMetricsRequired {
      throw PlainFailure(
        .workload, text, evidence: lastWords(job),
        hint: "set metrics_required: false if it may be missing")
    }
    job.record(.warning, source: recipe.declaration.name, text)
  }

  /// The end of what it said, standard error first.
  private func lastWords(_ job: JobContext) -> String {
    let directory = job.run.directory + "/" + job.relativeDirectory
    let error = Tail.text(of: directory + "/stderr")
    return error.isEmpty ? Tail.text(of: directory + "/stdout") : error
  }
}
