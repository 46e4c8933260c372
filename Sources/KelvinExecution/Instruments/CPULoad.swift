internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// What the CPUs spent the measured window on, from /proc/stat.
public struct CPULoad: Instrument {
  public static let declaration = Declaration(
    .instrument, "cpu_load",
    summary: "What the CPUs spent the measured window on.",
    description: """
      /proc/stat is read just before and just after the measured window. Shares are percent of the \
      time that the kernel accounted for each CPU, and for all together (cpu: all). Busy is user, \
      system and interrupt time; time that a hypervisor took (steal) is neither busy nor idle. The \
      kernel counts in ticks of 10 ms: a window of a few ticks gives coarse shares, one without a \
      tick gives none.
      """,
    options: [
      OptionDeclaration(
        "per_cpu", .boolean, default: false,
        "Also the shares of each CPU, not only of all together.")
    ],
    metrics: [
      MetricDeclaration("cpu_busy", unit: "%", "User, system and interrupt time."),
      MetricDeclaration("cpu_user", unit: "%", "User time, niced processes included."),
      MetricDeclaration("cpu_system", unit: "%", "Time in the kernel."),
      MetricDeclaration("cpu_iowait", unit: "%", "Idle time while I/O was outstanding."),
      MetricDeclaration("cpu_irq", unit: "%", "Hard and soft interrupts."),
      MetricDeclaration("cpu_steal", unit: "%", "Time that a hypervisor gave to others.")
    ])

  private let reader = WindowReader(["/proc/stat"])

  private let isPerCPU: Bool

  /// Creates it from validated settings.
  public init(settings: [String: Value]) { isPerCPU = settings["per_cpu"]?.boolean ?? false }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let bytes = try await run.target.connection.read("/proc/stat", until: deadline)
    guard ProcStat(KernelText(bytes)).total != nil else {
      throw InstrumentUnavailable("/proc/stat: has no line 'cpu'")
    }
  }

  public var hooks: [Hook] {
    very_fast.start { context in try await reader.readBefore(context) }
    very_fast.stop { context in try await reader.readAfter(context) }
    normal.update_output { context in
      let job = try context.requireJob()
      guard let window = reader.take(job, source: name) else { return }
      guard let before = window.before.text(0), let after = window.after.text(0) else { return }
      report(from: ProcStat(before), to: ProcStat(after), job)
    }.hostSide
  }

  private func report(from before: ProcStat, to after: ProcStat, _ job: JobContext) {
    guard let total = before.total, let end = after.total else {
      job.record(.warning, source: name, "/proc/stat: has no line 'cpu'")
      return
    }
    guard let shares = CPUShares(from: total, to: end) else {
      job.record(.info, source: name, "the measured window was shorter than a tick of /proc/stat")
      return
    }
    add(shares, cpu: "all", job)
    guard isPerCPU else { return }
    for cpu in after.cpus.keys.sorted() {
      guard let from = before.cpus[cpu], let to = after.cpus[cpu],
        let shares = CPUShares(from: from, to: to)
      else { continue }
      add(shares, cpu: "\(cpu)", job)
    }
    let changed = Set(before.cpus.keys).symmetricDifference(after.cpus.keys)
    if !changed.isEmpty {
      job.record(
        .warning, source: name,
        "CPUs went on or off in the measured window and are left out: "
          + changed.sorted().map(String.init).shortList)
    }
  }

  private func add(_ shares: CPUShares, cpu: String, _ job: JobContext) {
    let values = [
      ("cpu_busy", shares.busy), ("cpu_user", shares.user), ("cpu_system", shares.system),
      ("cpu_iowait", shares.iowait), ("cpu_irq", shares.irq), ("cpu_steal", shares.steal)
    ]
    job.add(
      values.map { metric, value in
        Metric(metric, .number(value), unit: "%", classifiers: ["cpu": cpu], source: name)
      })
  }
}
