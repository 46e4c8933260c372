internal import KelvinConnections
public import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// At which frequencies the CPUs ran in the measured window.
public struct CPUFrequency: Instrument {
  public static let declaration = Declaration(
    .instrument, "cpufreq",
    summary: "At which frequencies the CPUs ran in the measured window.",
    description: """
      The files of each cpufreq policy are read just before and just after the measured window. \
      Residency comes from stats/time_in_state, in ticks of 10 ms; a window without a tick gives \
      none. Governor and limits go into the job's fingerprint; when they change in the window, \
      that is a warning. Metrics are classified by policy and by the CPUs that share its clock.
      """,
    metrics: [
      MetricDeclaration("frequency_mean", unit: "Hz", "Mean frequency, weighted by time."),
      MetricDeclaration(
        "frequency_residency", unit: "%", "Share of the window at each frequency."),
      MetricDeclaration("frequency_transitions", "Changes of frequency.")
    ],
    verified: "recorded trees only; never run on a kernel with cpufreq")

  private static let root: TargetPath = "/sys/devices/system/cpu/cpufreq"
  private static let files = [
    "related_cpus", "scaling_governor", "scaling_min_freq", "scaling_max_freq",
    "stats/time_in_state", "stats/total_trans"
  ]
  private let reader = WindowReader()
  private let policies = BoardConfined<[String]>([])

  /// Takes no settings of its own.
  public init(settings: [String: Value]) {}

  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {
    let connection = run.target.connection
    let found = try await connection.numberedEntries(
      "policy", in: CPUFrequency.root, until: deadline)
    guard !found.isEmpty else {
      throw InstrumentUnavailable(
        "\(CPUFrequency.root): has no policies",
        hint: "the kernel has no frequency driver for these CPUs; most virtual machines have none")
    }
    policies.value = found
    reader.paths = found.flatMap { policy in
      CPUFrequency.files.map { CPUFrequency.root.appending(policy).appending($0) }
    }
    let contents = try await connection.read(reader.paths, until: deadline)
    let statistics = contents.enumerated().filter { index, content in
      CPUFrequency.files[index % CPUFrequency.files.count] == "stats/time_in_state"
        && (try? content.get()) != nil
    }
    if statistics.isEmpty {
      run.log.log(
        .warning, source: name,
        "\(CPUFrequency.root)/*/stats: not there, so only governor and limits are recorded; "
          + "build the kernel with CONFIG_CPU_FREQ_STAT=y")
      reader.paths = reader.paths.filter { !$0.string.contains("/stats/") }
    }
  }

  public var hooks: [Hook] {
    very_fast.start { context in try await reader.readBefore(context) }
    very_fast.stop { context in try await reader.readAfter(context) }
    normal.update_output { context in
      let job = try context.requireJob()
      guard let window = reader.take(job, source: name) else { return }
      let count = policies.value.isEmpty ? 0 : reader.paths.count / policies.value.count
      for (index, policy) in policies.value.enumerated() {
        report(policy, window, at: index * count, hasStatistics: count > 4, job)
      }
    }.hostSide
  }

  private func report(
    _ policy: String, _ window: WindowReader.Window, at first: Int, hasStatistics: Bool,
    _ job: JobContext
  ) {
    var classifiers = ["policy": policy]
    if let text = window.before.text(first)?.trimmed,
      let cpus = CPUList.parse(text.split(separator: " ").joined(separator: ","))
    {
      classifiers["cpus"] = CPUList.text(cpus)
    }
    reportSettings(policy, window, at: first, job)
    guard hasStatistics else { return }
    if let before = window.before.text(first + 4), let after = window.after.text(first + 4) {
      if let residency = FrequencyResidency(before).window(to: FrequencyResidency(after)) {
        job.add(
          Metric(
            "frequency_mean", .number(residency.meanHertz), unit: "Hz", classifiers: classifiers,
            source: name))
        for (kilohertz, share) in residency.shares.sorted(by: { $0.key < $1.key }) {
          var classifiers = classifiers
          classifiers["frequency"] = FrequencyResidency.text(kilohertz: kilohertz)
          job.add(
            Metric(
              "frequency_residency", .number(share), unit: "%", classifiers: classifiers,
              source: name))
        }
      } else {
        job.record(
          .info, source: name,
          "\(policy): no tick passed in the measured window, or its statistics were reset")
      }
    }
    guard let before = window.before.text(first + 5), let after = window.after.text(first + 5)
    else { return }
    guard let from = before.counter, let to = after.counter else {
      job.record(.warning, source: name, "\(policy)/stats/total_trans: is not a number")
      return
    }
    // An unsigned int in the kernel.
    var report = CounterReport(source: name)
    report.add("frequency_transitions", from: from, to: to, bits: 32, classifiers: classifiers)
    report.deliver(to: job)
  }

  private func reportSettings(
    _ policy: String, _ window: WindowReader.Window, at first: Int, _ job: JobContext
  ) {
    func text(_ reading: WindowReader.Reading, _ index: Int) -> String {
      reading.text(first + index)?.trimmed ?? "unknown"
    }
    job.addFingerprint([
      "\(policy) governor": text(window.before, 1),
      "\(policy) limits": "\(text(window.before, 2)) to \(text(window.before, 3)) kHz"
    ])
    for (index, what) in [(1, "governor"), (2, "lowest frequency"), (3, "highest frequency")] {
      let (before, after) = (text(window.before, index), text(window.after, index))
      guard before != after else { continue }
      job.record(
        .warning, source: name,
        "\(policy): \(what) changed in the measured window from \(before) to \(after)")
    }
  }
}
