internal import Glibc
internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// Counts events with `perf stat` while the workload runs.
public struct PerfStat: Instrument {
  static let defaultEvents = [
    "task-clock", "context-switches", "cpu-migrations", "page-faults", "cycles", "instructions",
    "branches", "branch-misses", "cache-references", "cache-misses"
  ]

  public static let declaration = Declaration(
    .instrument, "perf",
    summary: "Counts events with perf stat while the workload runs.",
    description: """
      The workload is started by perf stat, which counts the listed events for it and its \
      children. Events that this target does not support are found out before the first job, \
      reported once and left out. Metrics have the events' names. Where perf had to share \
      counters, values are its estimates, and a line in the log says for how much of the time each \
      was counted. What perf wrote is kept in perf.csv. perf's own start, a few milliseconds, is \
      inside the measured window. perf exits with 0 when a signal ends the workload; the line that \
      it prints then is looked for, so that such a job fails all the same.
      """,
    options: [
      OptionDeclaration(
        "events", .list(.text), default: .list(defaultEvents.map(Value.text)),
        "Events as perf list names them."),
      OptionDeclaration(
        "optionstring", .argv, aliases: ["options"],
        "More options of perf stat, such as '-a' to count the whole system."),
      OptionDeclaration(
        "command", .choice(["stat"]), default: "stat",
        "As in Workload Automation's agendas; only stat is there.")
    ],
    metrics: [MetricDeclaration("task-clock, ...", "Each event's count.")])

  private let events: [String]
  private let options: [String]
  private struct Setup: Sendable {
    var perf: TargetPath
    var events: [String]
    /// Options that make perf wait for the workload's end (see ``PerfProbe``).
    var control: [String]
  }
  private let setup = BoardConfined<Setup?>(nil)
  private struct Running: Sendable {
    var attempt: Int64
    var program: String
    var file: TargetPath
  }
  private let running = BoardConfined<Running?>(nil)

  /// Takes `events` and `optionstring`.
  public init(settings: [String: Value]) {
    events = settings.texts("events")
    options = settings.texts("optionstring")
  }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let connection = run.target.connection
    guard let perf = try await connection.findExecutables(["perf"], until: deadline)[0] else {
      throw InstrumentUnavailable(
        "perf: not found on the target",
        hint: "install linux-perf (Debian) or linux-tools (Ubuntu, Yocto), or build tools/perf")
    }
    guard !events.isEmpty else {
      throw InstrumentUnavailable("events: is empty", hint: "name events that perf list shows")
    }
    let probe = PerfProbe(perf: perf, connection: connection)
    let found = try await probe.check(events, until: deadline)
    guard !found.supported.isEmpty else {
      throw InstrumentUnavailable(
        "perf: none of the events can be counted: \(found.unsupported.shortList)",
        hint: "virtual machines often have software events only, such as task-clock; "
          + "/proc/sys/kernel/perf_event_paranoid says who may count what")
    }
    if !found.unsupported.isEmpty {
      run.log.log(
        events == PerfStat.defaultEvents ? .info : .warning, source: name,
        "not countable on this target and left out: \(found.unsupported.shortList)")
    }
    let control = try await probe.control(
      at: run.target.workingPath("perf-control", until: deadline), until: deadline)
    if control.isEmpty {
      run.log.log(
        .warning, source: name,
        "this perf takes no --control, or the target has no mkfifo: a workload that fails within "
          + "a few milliseconds may look as if it had not")
    }
    setup.value = Setup(perf: perf, events: found.supported, control: control)
  }

  public var hooks: [Hook] {
    // Before all others, so that they see the command as it will run.
    very_slow.start { context in
      running.value = nil
      let job = try context.requireJob()
      guard let setup = setup.value else { return }
      guard var launch = job.launch, let program = launch.argv.first else {
        throw PlainFailure(
          .configuration, "workload '\(job.spec.workload)' starts no process that perf could count",
          hint: "leave perf out of its augmentations ('~perf')")
      }
      let file = try await context.target.workingPath(
        "perf-\(job.attemptID).csv", until: context.deadline)
      launch.argv =
        [setup.perf.string, "stat", "-x", PerfStatReport.separator, "-o", file.string]
        + setup.control + setup.events.flatMap { ["-e", $0] } + options + ["--"] + launch.argv
      job.launch = launch
      running.value = Running(attempt: job.attemptID, program: program, file: file)
    }
    normal.update_output { context in
      let job = try context.requireJob()
      guard let running = running.exchange(nil), running.attempt == job.attemptID else { return }
      failIfSignaled(running.program, job)
      let connection = context.target.connection
      let bytes = try await connection.read(running.file, until: context.deadline)
      try await connection.remove(running.file, until: context.deadline)
      try job.write(
        bytes, to: "perf.csv", kind: .raw, description: "what perf stat wrote", source: name)
      report(PerfStatReport(KernelText(bytes), events: events), job)
    }
  }

  private func report(_ report: PerfStatReport, _ job: JobContext) {
    var missing: [String] = []
    var shared: [String] = []
    for count in report.counts {
      guard case .counted(let value) = count.outcome else {
        missing.append(count.event)
        continue
      }
      if let share = count.share, share < 99.995 { shared.append("\(count.event) \(share) %") }
      job.add(
        Metric(
          count.event, value, unit: count.unit == "msec" ? "ms" : count.unit,
          classifiers: count.scope.isEmpty ? [:] : ["scope": count.scope], source: name))
    }
    if report.counts.isEmpty {
      job.record(.warning, source: name, "perf stat wrote no counts")
    }
    if !missing.isEmpty {
      job.record(.warning, source: name, "not counted: \(missing.shortList)")
    }
    if !shared.isEmpty {
      job.record(
        .info, source: name,
        "estimated, because counters were shared; counted for: \(shared.shortList)")
    }
  }

  /// perf stat gives the workload's exit code, but 0 when a signal ended it (builtin-stat.c: it
  /// returns WEXITSTATUS). All that tells is psignal(3)'s line at the end of standard error.
  private func failIfSignaled(_ program: String, _ job: JobContext) {
    guard job.result?.termination == .exited(0) else { return }
    let path = job.run.directory + "/" + job.relativeDirectory + "/stderr"
    let tail = HostFile.tail(path, count: 4096)
    guard let line = KernelText(tail).map({ KernelText.string($0) }).last(where: { !$0.isEmpty }),
      PerfStat.isSignalLine(line, program: program)
    else { return }
    job.fail(
      PlainFailure(
        .workload, "'\(program)' was ended by a signal", evidence: "perf stat: \(line)"))
  }

  static func isSignalLine(_ line: String, program: String) -> Bool {
    guard line.hasPrefix(program + ": ") else { return false }
    let text = line.dropFirst(program.count + 2)
    return (1..<65).contains { number in
      strsignal(Int32(number)).map { String(cString: $0) == text } ?? false
    }
  }
}

extension HostFile {
  /// The last bytes of a file; empty when there are none.
  static func tail(_ path: String, count: Int) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    let end = lseek(descriptor, 0, SEEK_END)
    guard end > 0 else { return [] }
    var bytes = [UInt8](repeating: 0, count: min(count, Int(end)))
    let got = pread(descriptor, &bytes, bytes.count, end - off_t(bytes.count))
    return got > 0 ? Array(bytes.prefix(got)) : []
  }
}
