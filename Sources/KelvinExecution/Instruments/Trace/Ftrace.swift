internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// Records what the kernel traces while the workload runs, as a trace.dat file.
public struct Ftrace: Instrument {
  public static let declaration = Declaration(
    .instrument, "ftrace", aliases: ["trace-cmd"],
    summary: "Records kernel trace events while the workload runs, for trace-cmd and KernelShark.",
    description: """
      The kernel records the events around the measured window in a tracing instance of its own, \
      so that it neither disturbs other tracing nor is disturbed by it; nothing but tracefs is \
      used on the target, no program is installed. After the window the buffers are fetched and \
      become the artifact trace.dat in trace-cmd's file format, version 6: 'trace-cmd report', \
      KernelShark and others read it. When a buffer is full, the newest events take the place of \
      the oldest; how many were lost is a metric and a warning, and stands in the file. What \
      programs write to trace_marker is in the trace: the kernel copies it (Linux 6.16 and later), \
      or it is taken from the kernel's own buffer, unless somebody else traces with that. Kernels \
      without instances (before Linux 3.10) lend their own buffer, which is set back afterwards. \
      Needs root on the target. Fetching takes its time over a slow link: the job's extract \
      timeout holds for it.
      """,
    options: [
      OptionDeclaration(
        "events", .list(.text), default: .list(TraceWish.usualEvents.map(Value.text)),
        "Events by name or system, or as SYSTEM:NAME, with patterns. Those of the default are "
          + "taken where they are; others must be there."),
      OptionDeclaration(
        "functions", .list(.text), aliases: ["trace_functions"],
        "Kernel functions whose calls are recorded, with patterns; takes the function tracer."),
      OptionDeclaration(
        "buffer_size", .quantity(.size, bare: "KiB"), aliases: ["trace_buffer_size"],
        range: 4096...4e9,
        "Of each CPU's buffer; a number alone is in KiB, as in Workload Automation. When absent, "
          + "the CPUs share 16 MiB, and each has 1408 KiB at least."),
      OptionDeclaration(
        "trace_clock", .text,
        "The clock of the events, as trace_clock in tracefs names it. When absent: mono where the "
          + "kernel has it, else boot, else local."),
      OptionDeclaration(
        "filters", .map(.text),
        "For events, by name or pattern: which are recorded, such as 'cpu_id==1'."),
      OptionDeclaration(
        "symbols", .boolean,
        "Put /proc/kallsyms, some MB, into the file, which gives addresses names. When absent: "
          + "yes, except over a console.")
    ] + TraceOptionOfWA.declarations,
    metrics: [
      MetricDeclaration("trace_events", "Records in the file: events, function calls, markers."),
      MetricDeclaration("trace_lost_events", "What happened and is not in the file."),
      MetricDeclaration("trace_size", unit: "B", "Of trace.dat.")
    ])

  private let wish: TraceWish
  private let wantsSymbols: Bool?
  private let plan = BoardConfined<TracePlan?>(nil)
  private let session = BoardConfined<TraceSession?>(nil)
  /// Addresses and numbers of events hold for one boot.
  private struct BootFormats: Sendable {
    var bootID: String
    var formats: TraceFormats
  }
  private let formats = BoardConfined<BootFormats?>(nil)

  /// Takes the declared options.
  ///
  /// - Throws: for options of Workload Automation that ask for what cannot be had here.
  public init(settings: [String: Value]) throws {
    try TraceOptionOfWA.check(settings)
    wish = TraceWish(
      events: settings.texts("events"), functions: settings.texts("functions"),
      filters: (settings["filters"]?.map ?? [:]).compactMapValues(\.text),
      clock: settings["trace_clock"]?.text,
      bufferKiB: settings["buffer_size"]?.number.map { Int(($0 / 1024).rounded(.up)) })
    wantsSymbols = settings["symbols"]?.boolean
  }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let connection = run.target.connection
    let place = try await TraceFileSystem.prepared(for: run, source: name, until: deadline)
    var plan = try await TracePlan(wish, place, connection, until: deadline)
    // Everything is tried once, so that what the kernel refuses is known before the first job.
    let trial = try await TraceSession(
      plan, place, attempt: 0, connection, until: deadline)
    try await trial.remove(connection, until: deadline)
    tell(trial, run)
    let refused = Set(trial.refused.map(\.event))
    plan.events.removeAll(where: refused.contains)
    self.plan.value = plan
  }

  /// Says what is not as it was asked for.
  private func tell(_ trial: TraceSession, _ run: RunContext) {
    if !trial.refused.isEmpty {
      let names = trial.refused.map { "\($0.event): \($0.error)" }
      run.log.log(
        .warning, source: name,
        "the kernel does not trace these events here, they are left out: \(names.shortList)")
    }
    if trial.lacksMarkers {
      run.log.log(
        .warning, source: name,
        "somebody traces with the kernel's own buffer: what programs write to trace_marker stays "
          + "there, and is not in trace.dat")
    }
    if !trial.isInstance {
      run.log.log(
        .warning, source: name,
        "this kernel has no tracing instances: its own buffer is used, and set back after each job")
    }
  }

  public var hooks: [Hook] {
    slow.setup { context in
      let connection = context.target.connection
      // Of a job at whose end the link was away.
      try await session.exchange(nil)?.remove(connection, until: context.deadline)
      guard let plan = plan.value else { return }
      let job = try context.requireJob()
      // The board may have rebooted since, and have nothing mounted.
      let place = try await TraceFileSystem.find(connection, until: context.deadline) {
        job.record(.info, source: name, $0)
      }
      session.value = try await TraceSession(
        plan, place, attempt: job.attemptID, connection, until: context.deadline)
      job.addFingerprint([
        "trace clock": plan.clock ?? "the only one",
        "trace buffer":
          "\(plan.bufferKiB) KiB for each of \(plan.cpus.count) CPUs"
      ])
    }
    very_fast.start { context in
      try await session.value?.start(context.target.connection, until: context.deadline)
    }
    very_fast.stop { context in
      try await session.value?.stop(context.target.connection, until: context.deadline)
    }
    // The stage's deadline, not the callback's: over a slow link there is much to fetch.
    slow.update_output { context in
      let job = try context.requireJob()
      guard let session = session.value, session.attempt == job.attemptID else { return }
      try await fetch(session, job)
    }
    slow.teardown { context in
      try await session.exchange(nil)?.remove(
        context.target.connection, until: context.deadline)
    }
  }

  private func fetch(_ session: TraceSession, _ job: JobContext) async throws {
    let connection = job.target.connection
    let formats = try await formats(session, job)
    let fetch = TraceFetch(session: session, content: formats.content)
    let path = try job.directory() + "/trace.dat"
    let summary = try await fetch.write(path, connection, until: job.deadline)
    job.add(
      Artifact(
        name: "trace.dat", path: job.relativeDirectory + "/trace.dat", kind: .data,
        description: "kernel trace in trace-cmd's format", source: name))
    job.add([
      Metric("trace_events", .integer(Int64(clamping: summary.events)), source: name),
      Metric(
        "trace_lost_events", .integer(Int64(clamping: summary.lost)), lowerIsBetter: true,
        source: name),
      Metric("trace_size", .integer(Int64(summary.size)), unit: "B", source: name)
    ])
    summary.record(in: job, source: name)
  }

  /// Read after the first job's window, and after the first of each boot.
  private func formats(_ session: TraceSession, _ job: JobContext) async throws -> TraceFormats {
    let bootID = try await job.target.bootID(until: job.deadline)
    if let known = formats.value, known.bootID == bootID { return known.formats }
    let facts = try await job.target.facts(until: job.deadline)
    let read = try await TraceFormats(
      session, wantsSymbols: wantsSymbols, isBigEndian: TraceFormats.isBigEndian(facts.machine),
      system: "Linux \(facts.hostName) \(facts.kernelRelease) \(facts.machine)",
      job.target.connection, until: job.deadline)
    for note in read.notes { job.run.log.log(.info, source: name, note) }
    formats.value = BootFormats(bootID: bootID, formats: read)
    return read
  }
}
