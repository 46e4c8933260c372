internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// How memory was used just before and just after the measured window, from /proc/meminfo.
public struct MemoryInfo: Instrument {
  public static let declaration = Declaration(
    .instrument, "meminfo",
    summary: "How memory was used before and after the measured window.",
    description: """
      /proc/meminfo is read just before and just after the measured window. Metrics have the \
      kernel's own names, in bytes, classified by reading: before or after.
      """,
    options: [
      FieldChoice.option(
        default: [
          "MemFree", "MemAvailable", "Buffers", "Cached", "AnonPages", "Mapped", "Shmem", "Dirty",
          "Writeback", "Slab", "SwapFree"
        ], "Fields of /proc/meminfo.")
    ],
    metrics: [MetricDeclaration("MemFree, ...", unit: "B", "Each field, before and after.")])

  private let settings: [String: Value]
  private let reader = WindowReader(["/proc/meminfo"])
  private let fields = BoardConfined<[String]>([])

  /// Takes `fields`.
  public init(settings: [String: Value]) { self.settings = settings }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let bytes = try await run.target.connection.read("/proc/meminfo", until: deadline)
    fields.value = try FieldChoice.resolve(
      settings, in: NamedNumbers(KernelText(bytes)).names, of: "/proc/meminfo", instrument: name,
      log: run.log)
  }

  public var hooks: [Hook] {
    very_fast.start { context in try await reader.readBefore(context) }
    very_fast.stop { context in try await reader.readAfter(context) }
    normal.update_output { context in
      let job = try context.requireJob()
      guard let window = reader.take(job, source: name) else { return }
      for (reading, moment) in [(window.before, "before"), (window.after, "after")] {
        guard let text = reading.text(0) else { continue }
        add(NamedNumbers(text), moment, job)
      }
    }.hostSide
  }

  private func add(_ numbers: NamedNumbers, _ moment: String, _ job: JobContext) {
    var missing: [String] = []
    for field in fields.value {
      guard let number = numbers[field],
        let value = Int64(exactly: number.value),
        case let (bytes, overflow) = value.multipliedReportingOverflow(
          by: number.isKibibytes ? 1024 : 1),
        !overflow
      else {
        missing.append(field)
        continue
      }
      job.add(
        Metric(
          field, .integer(bytes), unit: number.isKibibytes ? "B" : "",
          classifiers: ["reading": moment], source: name))
    }
    if !missing.isEmpty {
      job.record(
        .warning, source: name,
        "/proc/meminfo \(moment) the window: has no number for \(missing.shortList)")
    }
  }
}
