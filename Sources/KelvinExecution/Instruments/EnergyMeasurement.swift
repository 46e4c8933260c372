internal import KelvinConnections
internal import KelvinMeters
public import KelvinModel
internal import KelvinStore
internal import KelvinSystem
internal import KelvinTargets

/// What jobs cost in energy: meters tied to jobs, rail by rail, with the uncertainty of each figure.
public struct EnergyMeasurement: Instrument {
  public static let declaration = Declaration(
    .instrument, "energy", aliases: ["energy_measurement"],
    summary: "Energy and power of each job, rail by rail, with their uncertainty.",
    description: """
      Meters measure from just before the measured window to just behind it, several at once; every \
      sample is kept in the run database as a capture of the attempt. Figures are of the measured \
      window, as execution_time's, and of phases that the workload marks by lines \
      'kelvin-phase: NAME' on its standard output or in the kernel's trace_marker, by levels on digital \
      inputs of a meter, or somebody else by 'kelvin mark'. Each has a \
      standard uncertainty (docs/measurement.md); all that it is made of stands in the artifact \
      energy.json. Time in which nothing was measured is interpolated, and bounded apart. Rails that \
      are sums and differences of others, efficiencies, energy above idle, and a verdict by a \
      benchmark's rules are options.
      """,
    options: EnergyOptions.declarations,
    metrics: [
      MetricDeclaration("energy", unit: "J", "In the measured window; by rail."),
      MetricDeclaration("power_mean", unit: "W", "Energy by the window's length; by rail."),
      MetricDeclaration("power_peak", unit: "W", "The highest sample, as the meter averages it."),
      MetricDeclaration("energy_coverage", unit: "%", "Share of the window that was measured."),
      MetricDeclaration("energy_samples", "Samples in the window."),
      MetricDeclaration(
        "energy_loss_bound", unit: "J", "How wrong the interpolation of lost time may be at most."),
      MetricDeclaration("board_energy", unit: "J", "Of the rail 'total', or of the only rail."),
      MetricDeclaration("board_power_mean", unit: "W", "The same by the window's length."),
      MetricDeclaration("idle_power", unit: "W", "Before the job, with subtract_idle."),
      MetricDeclaration(
        "energy_above_idle", unit: "J", "Energy less idle power by the window's length."),
      MetricDeclaration(
        "phase_energy", unit: "J", "Of all stretches of a phase; by rail and phase."),
      MetricDeclaration("phase_power", unit: "W", "The same by the phase's time."),
      MetricDeclaration("phase_time", unit: "s", "Of all stretches of a phase."),
      MetricDeclaration("efficiency", "Quotient of two rails."),
      MetricDeclaration("energy_rules", "Verdict by a benchmark's rules: passed, or what failed.")
    ],
    linkUse: .none)

  /// What is known of the board's meters.
  struct Setup: Sendable {
    var choices: [BoardMeters.Choice] = []
    /// How many meters were asked for, those included that are not among the choices.
    var wanted = 0
    /// Standard uncertainty of the window's ends, and the shortest round trip; in nanoseconds.
    var ends = 0.0
    var roundTrip: Int64 = 0
    var clockDistance: Double?
    /// Why not everything that was asked for can be had: told with each job.
    var complaint: PlainFailure?
  }
  let options: EnergyOptions
  let setup = BoardConfined(Setup())
  private let session = BoardConfined<EnergySession?>(nil)
  private let follower = BoardConfined<MarkFollower?>(nil)
  private let idle = BoardConfined<EnergyInterval?>(nil)
  private let marks = BoardConfined<[PhaseMark]>([])
  /// Nil when nobody asks for them.
  private let markers: MarkerPhases?
  /// When the attempt's setup was, on the host's clock.
  private let begun = BoardConfined<Int64>(0)

  /// Takes the declared options.
  ///
  /// - Throws: `configuration` for rails that cannot be read or are of themselves.
  public init(settings: [String: Value]) throws {
    options = try EnergyOptions(settings)
    markers = options.phases.readsTraceMarker ? MarkerPhases(source: Self.declaration.name) : nil
  }

  /// By how much a line of output may be seen later than it was written on an idle machine, in nanoseconds.
  private static let lateness: Int64 = 5_000_000

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    var setup = Setup()
    let connection = run.target.connection
    do {
      var missing: MeterFailure?
      (setup.choices, missing) = try await choose(run, until: deadline)
      setup.wanted = setup.choices.count + (missing == nil ? 0 : 1)
      if let missing { setup.complaint = PlainFailure(missing) }
      try await check(setup, through: connection, until: deadline)
    } catch {
      // Where nothing was named there is nothing to measure with; what was named must be there.
      guard !options.meters.isEmpty || !setup.choices.isEmpty else { throw error }
      setup.complaint = PlainFailure(error)
    }
    let latency = try await WindowLatency(of: run.target, until: deadline)
    (setup.ends, setup.roundTrip) = (latency.standardUncertainty, latency.roundTrip)
    if connection.capabilities.isThisMachine {
      setup.clockDistance = 0
    } else if options.rules == .mlperfPower {
      setup.clockDistance = try? await WindowLatency.clockDistance(of: run.target, until: deadline)
    }
    self.setup.value = setup
    await markers?.prepare(run, until: deadline)
  }

  public var hooks: [Hook] {
    // What was asked for and cannot be had is told with each job.
    slow.setup { _ in if let complaint = setup.value.complaint { throw complaint } }
    normal.setup { context in
      let job = try context.requireJob()
      (idle.value, marks.value) = (nil, [])
      begun.value = MonotonicTime.now.nanoseconds
      session.value = nil
      guard !setup.value.choices.isEmpty else { return }
      try checkLink(of: job)
      let (meters, failures) = await open(
        setup.value.choices, through: context.target.connection, until: context.deadline)
      if !meters.isEmpty {
        session.value = try EnergySession(
          meters, attempt: job.attemptID, into: context.store, source: name)
      }
      // The others measure all the same; the job says that it is not all.
      for failure in failures.dropFirst() { job.record(.error, source: name, "\(failure)") }
      if let first = failures.first { throw first }
    }
    normal.setup { context in
      guard session.value != nil else { return }
      try await markers?.setUp(try context.requireJob(), until: context.deadline)
    }
    slow.start { context in try await start(context) }
      .within(seconds: 60 + idleSeconds)
    slow.start { context in
      try await markers?.begin(try context.requireJob(), until: context.deadline)
    }
    // Also without a target: threads must not outlive the window.
    slow.stop { context in try await stop(context) }.hostSide
    normal.update_output { context in
      let job = try context.requireJob()
      guard let session = session.value, session.attempt == job.attemptID else { return }
      try report(session, job)
    }.hostSide
    normal.teardown { context in
      try await markers?.remove(context.target.connection, until: context.deadline)
    }
    normal.teardown { context in
      _ = follower.exchange(nil)?.stop()
      try await session.exchange(nil)?.end()
    }.hostSide
  }

  private var idleSeconds: Double {
    if case .measured(let seconds) = options.idle { seconds } else { 0 }
  }

  private func start(_ context: SignalContext) async throws {
    let job = try context.requireJob()
    guard let session = session.value, session.attempt == job.attemptID else { return }
    try await session.start(until: context.deadline)
    if idleSeconds > 0 {
      let from = MonotonicTime.now.nanoseconds
      _ = context.deadline.limited(toSeconds: idleSeconds).wait()
      let to = MonotonicTime.now.nanoseconds
      job.noteWait(to - from)
      idle.value = EnergyInterval(from: from, to: to)
    }
    guard options.phases.readsOutput else { return }
    // Where output stays on the board until the end, its lines say nothing of when.
    guard job.spec.detached == nil, !context.target.connection.capabilities.keepsOutput
    else { return }
    follower.value = try MarkFollower(
      "stdout", in: try job.directory(), limit: Self.lateness + setup.value.roundTrip)
  }

  private func stop(_ context: SignalContext) async throws {
    let job = try context.requireJob()
    let followed = follower.exchange(nil)?.stop() ?? (marks: [], leftOut: 0)
    guard let session = session.value, session.attempt == job.attemptID else { return }
    let end = job.window?.upperBound ?? MonotonicTime.now.nanoseconds
    let marked = await markers?.collect(job, until: context.deadline) ?? .init()
    // The kernel's own buffer may hold others' of long ago.
    let recent = marked.marks.filter { $0.time >= begun.value }
    let found = (followed.marks + recent + outsideMarks(job)).sorted { $0.time < $1.time }
    let leftOut = followed.leftOut + marked.leftOut + max(0, found.count - PhaseMark.most)
    if leftOut > 0 {
      job.record(
        .warning, source: name, "\(leftOut) marks of phases beyond \(PhaseMark.most) were left out")
    }
    marks.value = Array(found.prefix(PhaseMark.most))
    await session.stop(after: end, marks: marks.value, until: context.deadline)
  }

  /// What `kelvin mark` has noted since the attempt's setup.
  private func outsideMarks(_ job: JobContext) -> [PhaseMark] {
    guard let window = job.window, let life = try? LifeRecord.current() else { return [] }
    let (marks, broken) = MarkFile(run: job.run.directory, bootID: life.bootID).read()
    if broken > 0 {
      job.record(.warning, source: name, "marks.jsonl: \(broken) lines are no marks")
    }
    return marks.filter { $0.time >= begun.value && $0.time < window.upperBound }
  }

  private func report(_ session: EnergySession, _ job: JobContext) throws {
    guard let window = job.window else { return }
    let parts = session.state
    let interval = EnergyInterval(
      from: window.lowerBound, to: window.upperBound,
      ends: max(setup.value.ends, Double(job.windowError) / 3.0.squareRoot()))
    let reader = try RunReader(directory: job.run.directory)
    var (phases, lack) = (marks.value.phases(in: interval), markers?.failure)
    do {
      phases = try options.phases.inputs.phases(
        besides: phases, of: parts, in: interval, job, reader)
    } catch {
      lack = lack ?? PlainFailure(error)
    }
    var result = EnergyResult(
      try rails(of: parts.map(\.meter), isWhole: parts.count == setup.value.wanted),
      window: interval, idle: idle.value, phases: phases)
    for part in parts where part.summary != nil {
      result.read(part, of: job.attemptID, options.voltage, in: reader)
    }
    try EnergyReport(
      result: result, options: options, parts: parts, clockDistance: setup.value.clockDistance,
      source: name
    ).give(to: job)
    if let lack { throw lack }
  }
}
