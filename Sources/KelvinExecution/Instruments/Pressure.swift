internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// How long tasks waited for CPU, memory or I/O in the measured window (PSI).
public struct Pressure: Instrument {
  public static let declaration = Declaration(
    .instrument, "pressure", aliases: ["psi"],
    summary: "How long tasks waited for CPU, memory or I/O (PSI).",
    description: """
      /proc/pressure/* is read just before and just after the measured window; its totals are \
      microseconds, so that short windows count too. Of the whole system: what else runs there \
      counts as well. Metrics are classified by resource (cpu, memory, io, irq) and kind: some \
      tasks stalled, or all (full).
      """,
    metrics: [
      MetricDeclaration("pressure_time", unit: "us", "Time in which tasks were stalled."),
      MetricDeclaration("pressure_share", unit: "%", "The same in percent of the window.")
    ])

  private static let resources = ["cpu", "memory", "io", "irq"]
  private let reader = WindowReader()

  /// Takes no settings of its own.
  public init(settings: [String: Value]) {}

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let files = Pressure.resources.map { TargetPath("/proc/pressure/\($0)") }
    let contents = try await run.target.connection.read(files, until: deadline)
    reader.paths = zip(files, contents).filter { _, content in
      guard case .success(let bytes) = content else { return false }
      let stall = PressureStall(KernelText(bytes))
      return stall.some != nil || stall.full != nil
    }.map(\.0)
    guard reader.paths.isEmpty else { return }
    let error = contents.lazy.compactMap { result -> Errno? in
      if case .failure(let error) = result { error } else { nil }
    }.first
    switch error {
    case .some(.notFound), nil:
      throw InstrumentUnavailable(
        "/proc/pressure: the kernel accounts no pressure stalls",
        hint: "build it with CONFIG_PSI=y (Linux 4.20 or newer)")
    case .some(.notSupported):
      throw InstrumentUnavailable(
        "/proc/pressure: pressure stall accounting is switched off",
        hint: "boot with psi=1 on the kernel command line")
    case .some(let error):
      throw InstrumentUnavailable("/proc/pressure: \(error)")
    }
  }

  public var hooks: [Hook] {
    very_fast.start { context in try await reader.readBefore(context) }
    very_fast.stop { context in try await reader.readAfter(context) }
    normal.update_output { context in
      let job = try context.requireJob()
      guard let window = reader.take(job, source: name) else { return }
      for (index, path) in reader.paths.enumerated() {
        guard let before = window.before.text(index), let after = window.after.text(index)
        else { continue }
        let resource = path.string.split(separator: "/").last.map(String.init) ?? ""
        let (from, to) = (PressureStall(before), PressureStall(after))
        add("some", from.some, to.some, resource, window.duration, job)
        add("full", from.full, to.full, resource, window.duration, job)
      }
    }.hostSide
  }

  private func add(
    _ kind: String, _ before: UInt64?, _ after: UInt64?, _ resource: String, _ duration: Int64,
    _ job: JobContext
  ) {
    guard let before, let after else { return }
    guard let step = CounterStep(from: before, to: after, bits: 64).value else {
      job.record(.warning, source: name, "\(resource) \(kind): went back, so it is left out")
      return
    }
    let classifiers = ["resource": resource, "kind": kind]
    job.add(
      Metric(
        "pressure_time", .integer(Int64(clamping: step)), unit: "us", lowerIsBetter: true,
        classifiers: classifiers, source: name))
    guard duration > 0 else { return }
    job.add(
      Metric(
        "pressure_share", .number(100 * Double(step) * 1000 / Double(duration)), unit: "%",
        lowerIsBetter: true, classifiers: classifiers, source: name))
  }
}
