internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// Temperatures of the thermal zones before and after the measured window, and their maximum in it.
public struct Thermal: Instrument {
  public static let declaration = Declaration(
    .instrument, "thermal",
    summary: "Temperatures of the thermal zones.",
    description: """
      /sys/class/thermal/thermal_zoneN/temp is read just before and just after the measured \
      window. With a period it is also sampled during the window: mean, minimum and maximum are \
      then reported, and the samples are kept in the run database. Metrics are classified by zone \
      and type, as the kernel names them.
      """,
    options: [
      OptionDeclaration(
        "period", .quantity(.time, bare: "ms"), range: 0.001...3600,
        "Sample the zones during the window, this far apart; not sampled when absent.")
    ],
    metrics: [
      MetricDeclaration("temperature_before", unit: "degC", "Just before the window."),
      MetricDeclaration("temperature_after", unit: "degC", "Just after the window."),
      MetricDeclaration("temperature_mean", unit: "degC", "With a period: weighted by time."),
      MetricDeclaration("temperature_min", unit: "degC", "With a period: the lowest sample."),
      MetricDeclaration("temperature_max", unit: "degC", "With a period: the highest sample.")
    ] + SampleSummary.declarations,
    verified: "recorded trees only; never run on a kernel with thermal zones",
    linkUse: .needs)

  private struct Zone: Sendable {
    var classifiers: [String: String]
    var file: SampledFile
  }
  private let period: Double?
  private let reader = WindowReader()
  private let zones = BoardConfined<[Zone]>([])
  private let session = BoardConfined<SamplerSession?>(nil)

  /// Takes `period`.
  public init(settings: [String: Value]) { period = settings["period"]?.number }

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let root: TargetPath = "/sys/class/thermal"
    let connection = run.target.connection
    let names = try await connection.numberedEntries("thermal_zone", in: root, until: deadline)
    guard !names.isEmpty else {
      throw InstrumentUnavailable(
        "\(root): has no thermal zones",
        hint: "the kernel has no thermal driver here; most virtual machines have none")
    }
    let types = try await connection.read(
      names.map { root.appending($0).appending("type") }, until: deadline)
    zones.value = zip(names, types).map { zone, content in
      let type = (try? content.get()).map { KernelText($0).trimmed } ?? ""
      return Zone(
        classifiers: ["zone": zone, "type": type],
        file: SampledFile(
          label: type.isEmpty ? zone : "\(zone) \(type)",
          path: root.appending(zone).appending("temp"), unit: "degC", scale: 0.001))
    }
    reader.paths = zones.value.map(\.file.path)
  }

  public var hooks: [Hook] {
    if let period {
      normal.setup { context in
        session.value = try await SamplerSession(
          zones.value.map(\.file), period: Int64(period * 1e9), realtimePriority: nil,
          instrument: name, context)
      }
      fast.start { context in try await session.value?.start() }
      fast.stop { context in _ = await session.value?.stop() }.hostSide
    }
    very_fast.start { context in try await reader.readBefore(context) }
    very_fast.stop { context in try await reader.readAfter(context) }
    normal.update_output { context in
      let job = try context.requireJob()
      if let window = reader.take(job, source: name) { report(window, job) }
      guard let session = session.value, session.attempt == job.attemptID else { return }
      report(await session.stop(), job)
    }.hostSide
    normal.teardown { context in try await session.exchange(nil)?.end() }.hostSide
  }

  private func report(_ window: WindowReader.Window, _ job: JobContext) {
    var damaged: [String] = []
    for (index, zone) in zones.value.enumerated() {
      for (reading, moment) in [(window.before, "before"), (window.after, "after")] {
        guard let text = reading.text(index) else { continue }
        guard let millidegrees = text.integer else {
          damaged.append("\(zone.file.path) \(moment) the window")
          continue
        }
        job.add(
          Metric(
            "temperature_\(moment)", .number(Double(millidegrees) / 1000), unit: "degC",
            lowerIsBetter: true, classifiers: zone.classifiers, source: name))
      }
    }
    if !damaged.isEmpty {
      job.record(.warning, source: name, "not a number: \(damaged.shortList)")
    }
  }

  private func report(_ result: SamplerSession.Result, _ job: JobContext) {
    for (zone, statistics) in zip(zones.value, result.statistics) {
      if let trouble = statistics.trouble {
        job.record(.warning, source: name, "\(zone.file.label): \(trouble)")
      }
      job.add(
        statistics.metrics("temperature", unit: "degC", zone.classifiers, source: name).map {
          var metric = $0
          metric.lowerIsBetter = true
          return metric
        })
    }
    result.record(in: job, source: name)
  }
}

extension SampleStatistics {
  /// `NAME_mean`, `NAME_min` and `NAME_max`; empty without samples.
  func metrics(
    _ name: String, unit: String, _ classifiers: [String: String], source: String
  ) -> [Metric] {
    guard let mean else { return [] }
    return [("mean", mean), ("min", min), ("max", max)].map { suffix, value in
      Metric(
        "\(name)_\(suffix)", .number(value), unit: unit, classifiers: classifiers, source: source)
    }
  }
}
