internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// Frames a second of an Android layer or app, from what dumpsys says beside the workload.
public struct FramesPerSecond: Instrument {
  public static let declaration = Declaration(
    .instrument, "fps",
    summary: "Frames a second of an Android layer or app, and how regular they are.",
    description: """
      With 'view', dumpsys SurfaceFlinger --latency is asked for that layer; with 'package', \
      dumpsys gfxinfo PACKAGE framestats for the app's windows. Both keep the last 120 frames or \
      so, and are therefore asked once a period while the workload runs, which costs the target \
      CPU time. What was there before the job does not count. The artifacts are frames.csv, with \
      the time of each frame, and dumpsys.log, what dumpsys printed. gfxinfo tells when the app \
      had completed a frame, not when it was shown, and leaves outliers out.
      """,
    options: [
      OptionDeclaration(
        "view", .text, default: "",
        "A layer as 'dumpsys SurfaceFlinger --list' shows it, such as 'SurfaceView'."),
      OptionDeclaration("package", .text, default: "", "An app; used when there is no view."),
      OptionDeclaration(
        "drop_threshold", .number, default: 5, range: 0.1...1000,
        "Frames a second; a frame that stays longer than that is a pause, and does not count."),
      OptionDeclaration(
        "period", .quantity(.time, bare: "s"), default: 1, range: 0.1...10,
        "Between two questions; a full table of 120 frames must not pass meanwhile."),
      OptionDeclaration(
        "keep_raw", .boolean,
        "Accepted for Workload Automation's agendas; what dumpsys printed is always kept."),
      OptionDeclaration(
        "force_surfaceflinger", .boolean,
        "Accepted for Workload Automation's agendas; 'view' asks SurfaceFlinger, 'package' gfxinfo."
      ),
      OptionDeclaration(
        "crash_threshold", .number,
        "Accepted for Workload Automation's agendas; has no effect.")
    ],
    metrics: [
      MetricDeclaration("fps", unit: "fps", "Frames a second while frames came."),
      MetricDeclaration("total_frames", "Frames."),
      MetricDeclaration(
        "janks", "Neighboring frames whose lengths differ by more than 1.5 refreshes."),
      MetricDeclaration("janks_pc", unit: "%", "Janks in a hundred frames."),
      MetricDeclaration("missed_vsync", "Frames that stayed for longer than one refresh.")
    ],
    verified: "a program of the name dumpsys only; never run on Android",
    linkUse: .needs)

  private let words: [String]
  private let period: String
  private let dropThreshold: Double
  private struct Session: Sendable {
    var attempt: Int64
    var baseline: FrameDumps
    var follower: LogFollower
    /// Asked once more after the window.
    var last: [UInt8] = []
  }
  private let session = BoardConfined<Session?>(nil)

  /// What one job's dumps may take.
  private static let limit = 64 << 20

  /// Takes the declared options.
  public init(settings: [String: Value]) {
    let view = settings["view"]?.text ?? ""
    let package = settings["package"]?.text ?? ""
    words =
      !view.isEmpty
      ? ["SurfaceFlinger", "--latency", view]
      : package.isEmpty ? [] : ["gfxinfo", package, "framestats"]
    // Milliseconds are enough, and no sleep(1) takes more.
    let milliseconds = Int(((settings["period"]?.number ?? 1) * 1000).rounded())
    period =
      milliseconds % 1000 == 0 ? "\(milliseconds / 1000)" : "\(Double(milliseconds) / 1000)"
    dropThreshold = settings["drop_threshold"]?.number ?? 5
  }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    guard !words.isEmpty else {
      throw InstrumentUnavailable(
        "neither a view nor a package is named", hint: "write 'fps: {package: com.example.app}'")
    }
    let found = try await run.target.connection.findExecutables(["dumpsys"], until: deadline)
    guard found[0] != nil else {
      throw InstrumentUnavailable("dumpsys: not found on the target", hint: "it comes with Android")
    }
  }

  public var hooks: [Hook] {
    slow.start { context in
      let job = try context.requireJob()
      let connection = context.target.connection
      let baseline = FrameDumps(try await ask(connection, until: context.deadline))
      let command = Command(
        ["sh", "-c", "while sleep \(period); do dumpsys \"$@\"; done", "sh"] + words,
        standardOutput: .file(try job.directory() + "/dumpsys.log", limit: FramesPerSecond.limit),
        standardError: .capture(limit: 4096))
      session.value = Session(
        attempt: job.attemptID, baseline: baseline,
        follower: try await LogFollower(command, connection, until: context.deadline))
    }
    // Also without a target: its thread must not outlive the window.
    slow.stop { context in
      guard let follower = session.value?.follower else { return }
      switch await follower.stop() {
      case .stopped: break
      case .early(let result):
        throw PlainFailure(
          .target, "dumpsys was not asked to the end (\(result.termination))",
          evidence: "\(result.standardError.text.prefix(500))")
      case .failed(let failure): throw failure
      }
      session.value?.last = try await ask(context.target.connection, until: context.deadline)
    }.hostSide
    normal.update_output { context in
      let job = try context.requireJob()
      guard let session = session.exchange(nil), session.attempt == job.attemptID else { return }
      try report(session, job)
    }.hostSide
  }

  private func ask(_ connection: any Connection, until deadline: Deadline) async throws -> [UInt8] {
    let result = try await connection.execute(
      Command(
        ["dumpsys"] + words, standardOutput: .capture(limit: 4 << 20),
        standardError: .capture(limit: 4096), endsDescendants: false), until: deadline)
    guard result.isSuccess else {
      throw PlainFailure(
        .target, "dumpsys \(words.joined(separator: " ")) \(result.termination)",
        evidence: "\(result.standardError.text.prefix(500))")
    }
    return result.standardOutput.bytes
  }

  private func report(_ session: Session, _ job: JobContext) throws {
    let path = try job.directory() + "/dumpsys.log"
    // A short job ends before the first period does.
    let polled = (try? HostFile.read(path, limit: FramesPerSecond.limit)) ?? []
    try job.write(
      polled + session.last, to: "dumpsys.log", kind: .raw,
      description: "what dumpsys said of frames", source: name)
    var dumps = FrameDumps(polled)
    dumps.take(session.last)
    let known = dumps.refreshPeriod ?? session.baseline.refreshPeriod
    let rate = FrameRate(
      dumps, after: session.baseline, refreshPeriod: known ?? 16_666_667,
      dropThreshold: dropThreshold)
    var csv = CSVText(header: ["time_ns"])
    for time in rate.times { csv.add(["\(time)"]) }
    try job.write(
      csv.bytes, to: "frames.csv", kind: .data, description: "when each frame came", source: name)
    if known == nil {
      job.record(
        .warning, source: name, "dumpsys says no refresh period: 60 Hz is taken for janks")
    }
    if rate.hasGap {
      job.record(
        .warning, source: name,
        "frames may be missing: a whole table passed between two questions; use a shorter period")
    }
    let count = rate.times.count
    job.add(Metric("total_frames", .integer(Int64(count)), source: name))
    guard let framesPerSecond = rate.framesPerSecond else {
      return job.record(
        .warning, source: name,
        "\(count) frame(s) of \(words.joined(separator: " ")): too few for a rate")
    }
    job.add([
      Metric("fps", .number(framesPerSecond), unit: "fps", lowerIsBetter: false, source: name),
      Metric("janks", .integer(Int64(rate.janks)), lowerIsBetter: true, source: name),
      Metric(
        "janks_pc", .number(Double(rate.janks) * 100 / Double(count)), unit: "%",
        lowerIsBetter: true, source: name),
      Metric(
        "missed_vsync", .integer(Int64(rate.missedRefreshes)), lowerIsBetter: true, source: name)
    ])
  }
}
