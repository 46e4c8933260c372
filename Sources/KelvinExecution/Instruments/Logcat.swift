internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// Android's log while a job runs, followed by the target's own `logcat`.
public struct Logcat: Instrument {
  public static let declaration = Declaration(
    .instrument, "logcat",
    summary: "Android's log while the job runs.",
    description: """
      The target's logcat follows the log from before the measured window to its end, and what it \
      prints becomes the artifact logcat.log: the format threadtime, beginning with the last line \
      that was logged before. The device's log is not cleared. Following costs the target CPU \
      time, and the link traffic, while the workload runs; over adb by USB that is inside what a \
      meter sees. What was logged within the last moments of the window may be missing.
      """,
    options: [
      OptionDeclaration(
        "filters", .list(.text), default: .list([]),
        "What logcat shows: 'TAG:PRIORITY', such as ['ActivityManager:I', '*:S']; everything when "
          + "empty."),
      OptionDeclaration(
        "buffers", .list(.text), default: .list([]),
        "Names for logcat's -b, such as ['main', 'crash']; its own choice when empty."),
      OptionDeclaration(
        "max_size", .quantity(.size, bare: "B"), default: 67_108_864, range: 1...1e12,
        "What the artifact of one job may take; what comes later is left out and counted.")
    ],
    metrics: [
      MetricDeclaration("logcat_lines", "Lines of the artifact."),
      MetricDeclaration("logcat_errors", "Lines of priority error, fatal or assert among them.")
    ],
    verified: "a program of the same name only; never run on Android",
    linkUse: .needs)

  private let arguments: [String]
  private let maxSize: Int
  private let program = BoardConfined<TargetPath?>(nil)
  private let follower = BoardConfined<LogFollower?>(nil)

  /// Takes the declared options.
  public init(settings: [String: Value]) {
    let log = TargetLog.logcat(
      buffers: settings.texts("buffers"), filters: settings.texts("filters"))
    arguments = Array(log.following().dropFirst())
    maxSize = Int(settings["max_size"]?.number ?? 67_108_864)
  }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    guard
      let found = try await run.target.connection.findExecutables(["logcat"], until: deadline)[0]
    else {
      throw InstrumentUnavailable(
        "logcat: not found on the target", hint: "it comes with Android; elsewhere use dmesg")
    }
    program.value = found
  }

  public var hooks: [Hook] {
    slow.start { context in
      guard let program = program.value else { return }
      let job = try context.requireJob()
      let command = Command(
        [program.string] + arguments,
        standardOutput: .file(try job.directory() + "/logcat.log", limit: maxSize),
        standardError: .capture(limit: 4096))
      follower.value = try await LogFollower(
        command, context.target.connection, until: context.deadline)
    }
    // Also without a target: its thread must not outlive the window.
    slow.stop { context in
      let job = try context.requireJob()
      guard let follower = follower.exchange(nil) else { return }
      try report(await follower.stop(), job)
    }.hostSide
  }

  private func report(_ ending: LogFollower.Ending, _ job: JobContext) throws {
    switch ending {
    case .stopped(let result):
      if let result { try report(result, job) }
    case .early(let result):
      try report(result, job)
      throw PlainFailure(
        .target, "logcat: ended by itself before the workload did (\(result.termination))",
        evidence: "\(result.standardError.text.prefix(500))",
        hint: "run 'logcat \(arguments.joined(separator: " "))' on the target")
    case .failed(let failure):
      if let result = failure.partial { try report(result, job) }
      throw failure
    }
  }

  private func report(_ result: CommandResult, _ job: JobContext) throws {
    let output = result.standardOutput
    var tally = LogcatTally()
    if output.keptBytes > 0 {
      job.add(
        Artifact(
          name: "logcat.log", path: job.relativeDirectory + "/logcat.log", kind: .log,
          description: "Android's log", source: name))
      tally.take(try HostFile.read(try job.directory() + "/logcat.log", limit: maxSize))
    }
    if output.isTruncated {
      job.record(
        .warning, source: name,
        "logcat.log: \(output.totalBytes - output.keptBytes) bytes beyond max_size, or beyond what the "
          + "connection keeps, were left out")
    }
    job.add([
      Metric("logcat_lines", .integer(tally.lines), source: name),
      Metric("logcat_errors", .integer(tally.errors), lowerIsBetter: true, source: name)
    ])
  }
}

/// Counts the lines of a log in logcat's format threadtime:
/// `11-26 07:26:37.123  1234  1250 E Tag: text` (source: AOSP liblog, logprint.cpp).
struct LogcatTally: Hashable {
  private(set) var lines: Int64 = 0
  /// Of priority E, F or A.
  private(set) var errors: Int64 = 0

  /// Takes a whole log.
  mutating func take(_ bytes: [UInt8]) {
    for line in KernelText(bytes) {
      // logcat says where a buffer begins: that is no entry.
      if line.starts(with: "---------".utf8) { continue }
      lines += 1
      var fields = KernelText.Fields(line)
      guard fields.next() != nil, fields.next() != nil, fields.next() != nil, fields.next() != nil,
        let priority = fields.next(), priority.count == 1
      else { continue }
      if priority.first.map({ "EFA".utf8.contains($0) }) == true { errors += 1 }
    }
  }
}
