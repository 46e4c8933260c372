internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// What the memory management did in the measured window, from /proc/vmstat.
public struct VMStat: Instrument {
  public static let declaration = Declaration(
    .instrument, "vmstat",
    summary: "What the memory management did in the measured window.",
    description: """
      /proc/vmstat is read just before and just after the measured window; metrics are differences \
      under the kernel's own names. Fields that begin with nr_ are levels and may go down; the \
      others are counters, and one that went back is flagged. pgpgin and pgpgout count KiB, \
      everything else pages or events.
      """,
    options: [
      FieldChoice.option(
        default: [
          "pgfault", "pgmajfault", "pgpgin", "pgpgout", "pswpin", "pswpout", "pgscan_kswapd",
          "pgscan_direct", "pgsteal_kswapd", "pgsteal_direct", "thp_fault_alloc", "compact_stall",
          "oom_kill"
        ], "Fields of /proc/vmstat.")
    ],
    metrics: [MetricDeclaration("pgfault, ...", "Each field: after less before.")])

  private let settings: [String: Value]
  private let reader = WindowReader(["/proc/vmstat"])
  private let fields = BoardConfined<[String]>([])

  /// Takes `fields`.
  public init(settings: [String: Value]) { self.settings = settings }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let bytes = try await run.target.connection.read("/proc/vmstat", until: deadline)
    fields.value = try FieldChoice.resolve(
      settings, in: NamedNumbers(KernelText(bytes)).names, of: "/proc/vmstat", instrument: name,
      log: run.log)
  }

  public var hooks: [Hook] {
    very_fast.start { context in try await reader.readBefore(context) }
    very_fast.stop { context in try await reader.readAfter(context) }
    normal.update_output { context in
      let job = try context.requireJob()
      guard let window = reader.take(job, source: name) else { return }
      guard let before = window.before.text(0), let after = window.after.text(0) else { return }
      let bits = try await context.target.facts(until: context.deadline).longBits
      report(from: NamedNumbers(before), to: NamedNumbers(after), bits: bits, job)
    }.hostSide
  }

  private func report(
    from before: NamedNumbers, to after: NamedNumbers, bits: Int, _ job: JobContext
  ) {
    var report = CounterReport(source: name)
    var missing: [String] = []
    for field in fields.value {
      guard let from = before[field]?.value, let to = after[field]?.value else {
        missing.append(field)
        continue
      }
      if field.hasPrefix("nr_") {
        let step = Int64(truncatingIfNeeded: to &- from)
        job.add(Metric(field, .integer(step), source: name))
      } else {
        report.add(
          field, from: from, to: to, bits: bits, unit: field.hasPrefix("pgpg") ? "KiB" : "")
      }
    }
    report.deliver(to: job)
    if !missing.isEmpty {
      job.record(.warning, source: name, "/proc/vmstat: has no number for \(missing.shortList)")
    }
  }
}
