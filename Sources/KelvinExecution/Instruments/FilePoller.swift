internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// Samples any files of the target at a fixed period while the workload runs.
public struct FilePoller: Instrument {
  public static let declaration = Declaration(
    .instrument, "file_poller",
    summary: "Samples any files at a fixed period while the workload runs.",
    description: """
      Each tick is due at start + n * period, on a clock that does not drift; each value has its \
      own time. Files that begin with a number are sampled as numbers: the samples are kept in the \
      run database, and mean (weighted by time), minimum and maximum over the time from just \
      before to just after the measured window become metrics, classified by file. With text: true \
      whole files are kept instead, exactly as they were, in the artifact file_poller.csv \
      (time_ns, file, error, content). How many ticks were late or left out, and whether the \
      kernel granted SCHED_FIFO, is recorded with each job.
      """,
    options: [
      OptionDeclaration(
        "files", .list(.text), required: true,
        "Paths on the target; shell patterns such as '/sys/class/hwmon/hwmon*/temp*_input' are "
          + "resolved when the run begins."),
      OptionDeclaration(
        "labels", .list(.text), default: .list([]),
        "What metrics call the files, in their order; their paths when empty."),
      OptionDeclaration(
        "period", .quantity(.time, bare: "ms"), aliases: ["sample_interval"], default: 1,
        range: 1e-5...86_400, "From tick to tick."),
      OptionDeclaration(
        "text", .boolean, default: false, "Keep whole files instead of numbers."),
      OptionDeclaration(
        "realtime_priority", .integer, default: 50, range: 0...99,
        "SCHED_FIFO priority of the sampling; 0 asks for none. Not used for text."),
      OptionDeclaration(
        "on_board", .choice(["auto", "always", "never"]), default: "auto",
        "Whether a board behind a link samples by a small program of its own: where it can, or else "
          + "the job fails, or never. Not used for text."),
      OptionDeclaration(
        "buffer", .quantity(.size, bare: "B"), range: 8192...1_073_741_824,
        "The board's memory that keeps the samples of a job, 3 to 4 bytes each, so that nothing "
          + "crosses the link in the measured window; without it they are sent as they come."),
      OptionDeclaration(
        "max_size", .quantity(.size, bare: "B"), default: 67_108_864, range: 1...1e12,
        "What the text of one job may take; what comes later is left out and counted."),
      OptionDeclaration(
        "reopen", .boolean,
        "Accepted for Workload Automation's agendas; every read gives the present value anyway."),
      OptionDeclaration(
        "as_root", .boolean,
        "Accepted for Workload Automation's agendas; files are read as the connection's user."),
      OptionDeclaration(
        "align_with_ftrace", .boolean,
        "Accepted for Workload Automation's agendas; times are CLOCK_MONOTONIC, which ftrace can "
          + "use, too.")
    ],
    metrics: [
      MetricDeclaration("file_mean", "Mean of the file's number, weighted by time."),
      MetricDeclaration("file_min", "Lowest sample."),
      MetricDeclaration("file_max", "Highest sample.")
    ] + SampleSummary.declarations, linkUse: .needs)

  private let patterns: [PathPattern]
  private let labels: [String]
  private let period: Int64
  private let isText: Bool
  private let realtimePriority: Int?
  private let maxSize: Int
  private let onBoard: SamplePlan.OnBoard
  private let buffer: Int?
  private let files = BoardConfined<[SampledFile]>([])
  private let session = BoardConfined<SamplerSession?>(nil)
  private let recorder = BoardConfined<TextRecorder?>(nil)

  /// Takes the declared options.
  ///
  /// - Throws: when there are not as many labels as files.
  public init(settings: [String: Value]) throws {
    patterns = settings.texts("files").map(PathPattern.init)
    labels = settings.texts("labels")
    guard labels.isEmpty || labels.count == patterns.count else {
      throw PlainFailure(
        .configuration,
        "labels: \(labels.count) for \(patterns.count) files; write one for each, or none")
    }
    period = Int64((settings["period"]?.number ?? 1) * 1e9)
    isText = settings.flag("text")
    let priority = Int(settings["realtime_priority"]?.integer ?? 50)
    realtimePriority = priority > 0 ? priority : nil
    maxSize = Int(settings["max_size"]?.number ?? 67_108_864)
    onBoard = settings["on_board"]?.text.flatMap(SamplePlan.OnBoard.init) ?? .auto
    buffer = settings["buffer"]?.number.map { Int($0) }
  }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let connection = run.target.connection
    // Text is read beside the board's thread, which only direct system calls allow; a connection
    // that carries one request at a time does not.
    guard !isText || connection.capabilities.fastSampling else {
      throw InstrumentUnavailable(
        "text: whole files cannot be polled through \(connection.name) while a workload runs",
        hint: "use a local connection, or sample numbers")
    }
    var found: [SampledFile] = []
    var unusable: [String] = []
    for (index, pattern) in patterns.enumerated() {
      let paths = try await pattern.resolve(connection, until: deadline)
      if paths.isEmpty { unusable.append("\(pattern.text) (nothing matches)") }
      for path in paths {
        let label =
          labels.isEmpty
          ? path.string : paths.count == 1 ? labels[index] : "\(labels[index]) \(path)"
        found.append(SampledFile(label: label, path: path))
      }
    }
    let contents = try await connection.read(found.map(\.path), until: deadline)
    var usable: [SampledFile] = []
    for (file, content) in zip(found, contents) {
      switch content {
      case .failure(let error): unusable.append("\(file.path) (\(error))")
      case .success(let bytes):
        var file = file
        file.chooseDecimals(for: bytes)
        if !isText, !FilePoller.startsWithNumber(bytes) {
          unusable.append("\(file.path) (is not a number; 'text: true' keeps it whole)")
        } else if usable.count < Int(UInt16.max) {
          usable.append(file)
        }
      }
    }
    guard !usable.isEmpty else {
      throw InstrumentUnavailable("no file can be sampled: \(unusable.shortList)")
    }
    files.value = usable
    if !unusable.isEmpty {
      run.log.log(.warning, source: name, "not sampled: \(unusable.shortList)")
    }
  }

  /// Blanks, a sign, a digit: what the sampler takes for a number.
  private static func startsWithNumber(_ content: [UInt8]) -> Bool {
    var rest = content.drop(while: KernelText.isBlank)
    if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") {
      rest = rest.dropFirst()
    }
    return rest.first.map { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") } ?? false
  }

  public var hooks: [Hook] {
    normal.setup { context in
      let job = try context.requireJob()
      if isText {
        recorder.value = try TextRecorder(
          files.value, period: period, to: try job.directory() + "/file_poller.csv",
          limit: maxSize, job)
      } else {
        session.value = try await SamplerSession(
          files.value, period: period, realtimePriority: realtimePriority, onBoard: onBoard,
          buffer: buffer, instrument: name, context)
      }
    }
    fast.start { context in
      try await session.value?.start()
      await recorder.value?.start()
    }
    // Also without a target: their threads must not outlive the window.
    fast.stop { context in
      _ = await session.value?.stop()
      _ = await recorder.value?.stop()
    }.hostSide
    normal.update_output { context in
      let job = try context.requireJob()
      if let session = session.value { report(await session.stop(), job) }
      if let recorder = recorder.value { report(recorder, await recorder.stop(), job) }
    }.hostSide
    normal.teardown { context in
      _ = await recorder.exchange(nil)?.stop()
      try await session.exchange(nil)?.end()
    }.hostSide
  }

  private func report(_ result: SamplerSession.Result, _ job: JobContext) {
    for (file, statistics) in zip(files.value, result.statistics) {
      if let trouble = statistics.trouble {
        job.record(.warning, source: name, "\(file.label): \(trouble)")
      }
      job.add(statistics.metrics("file", unit: "", ["file": file.label], source: name))
    }
    result.record(in: job, source: name)
  }

  private func report(
    _ recorder: TextRecorder, _ result: TextRecorder.Result, _ job: JobContext
  ) {
    job.add(
      Artifact(
        name: "file_poller.csv", path: job.relativeDirectory + "/file_poller.csv", kind: .data,
        description: "whole files at each tick", source: name))
    if let failure = result.failure {
      job.record(.warning, source: name, "polling ended early: \(failure)")
    }
    if result.unreadable > 0 {
      job.record(
        .warning, source: name,
        "\(result.unreadable) reading(s) of a file failed; the errors are in file_poller.csv")
    }
    if result.leftOutBytes > 0 {
      job.record(
        .warning, source: name,
        "file_poller.csv: \(result.leftOutBytes) bytes beyond max_size were left out")
    }
    result.summary.record(in: job, source: name)
  }
}
