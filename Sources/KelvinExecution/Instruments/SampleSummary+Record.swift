internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore

extension SampleSummary {
  /// For the capture's record; times in nanoseconds.
  var record: [String: Value] {
    var record: [String: Value] = [
      "ticks": .integer(ticks), "late ticks": .integer(lateTicks), "overruns": .integer(overruns),
      "lost samples": .integer(lostSamples), "mean lateness": .number(meanLateness),
      "max lateness": .integer(maxLateness), "realtime": .boolean(isRealtime)
    ]
    if let cpuNanoseconds { record["cpu"] = .integer(cpuNanoseconds) }
    if !note.isEmpty { record["note"] = .text(note) }
    record.merge(boardRecord) { first, _ in first }
    return record
  }

  /// For the job: how sampling went, classified by the sampler.
  func metrics(source: String) -> [Metric] {
    var metrics = [
      Metric("sampling_ticks", .integer(ticks)),
      Metric("sampling_late_ticks", .integer(lateTicks), lowerIsBetter: true),
      Metric("sampling_overruns", .integer(overruns), lowerIsBetter: true),
      Metric("sampling_lost", .integer(lostSamples), lowerIsBetter: true),
      Metric(
        "sampling_lateness_mean", .number(meanLateness / 1000), unit: "us", lowerIsBetter: true),
      Metric(
        "sampling_lateness_max", .number(Double(maxLateness) / 1000), unit: "us",
        lowerIsBetter: true),
      Metric("sampling_realtime", .integer(isRealtime ? 1 : 0), lowerIsBetter: false)
    ]
    if let cpuNanoseconds {
      metrics.append(
        Metric(
          "sampling_cpu", .number(Double(cpuNanoseconds) / 1e9), unit: "s", lowerIsBetter: true))
    }
    if let probe {
      metrics += [
        Metric("sampling_wakeups", .integer(probe.wakeUps), lowerIsBetter: true),
        Metric(
          "sampling_link_bytes", .integer(probe.bytesOut + probe.bytesIn), unit: "B",
          lowerIsBetter: true)
      ]
      if let wakeUps = probe.linkWakeUps {
        metrics.append(Metric("sampling_link_wakeups", .integer(wakeUps), lowerIsBetter: true))
      }
    }
    if let clockBound {
      metrics.append(
        Metric(
          "sampling_clock_bound", .number(Double(clockBound) / 1000), unit: "us",
          lowerIsBetter: true))
    }
    for index in metrics.indices {
      metrics[index].classifiers = ["sampler": source]
      metrics[index].source = source
    }
    return metrics
  }

  /// Records how sampling went with the job: a line always, a warning when samples are missing.
  func record(in job: JobContext, source: String) {
    job.add(metrics(source: source))
    var missing: [String] = []
    if overruns > 0 { missing.append("\(overruns) of \(ticks) ticks left out as too late") }
    if lostSamples > 0 { missing.append("\(lostSamples) sample(s) lost for want of room") }
    if !missing.isEmpty {
      job.record(
        .warning, source: source, "samples are missing: \(missing.joined(separator: ", "))")
    }
    let policy =
      isRealtime
      ? "under SCHED_FIFO" : "without SCHED_FIFO" + (note.isEmpty ? "" : " (\(note))")
    job.record(
      .info, source: source,
      "sampled \(ticks - overruns) ticks \(policy): \(lateTicks) late, at most by "
        + "\(maxLateness / 1000) us")
    guard let probe else { return }
    let link = probe.linkWakeUps.map { "; its link woke up \($0) times" } ?? ""
    job.record(
      .info, source: source,
      "on the board, from start to stop: \(probe.wakeUps) wake-ups of the sampler, "
        + "\(probe.bytesOut + probe.bytesIn) bytes on the link\(link); times are true to "
        + "\((clockBound ?? 0) / 1000) us")
  }

  /// The metrics' documentation.
  static let declarations = [
    MetricDeclaration("sampling_ticks", "Ticks that were due."),
    MetricDeclaration("sampling_late_ticks", "Ticks more than a tenth of a period late."),
    MetricDeclaration("sampling_overruns", "Ticks left out because an earlier one took too long."),
    MetricDeclaration("sampling_lost", "Samples lost for want of room."),
    MetricDeclaration("sampling_lateness_mean", unit: "us", "Mean lateness of a tick."),
    MetricDeclaration("sampling_lateness_max", unit: "us", "Greatest lateness of a tick."),
    MetricDeclaration("sampling_realtime", "1 when it ran under SCHED_FIFO."),
    MetricDeclaration("sampling_cpu", unit: "s", "CPU time of the sampling itself."),
    MetricDeclaration(
      "sampling_wakeups", "How often the sampler on a board slept and woke from start to stop."),
    MetricDeclaration(
      "sampling_link_bytes", unit: "B", "Bytes between it and the link from start to stop."),
    MetricDeclaration(
      "sampling_link_wakeups",
      "How often the process at the board's end of the link ran from start to stop."),
    MetricDeclaration(
      "sampling_clock_bound", unit: "us",
      "By how much a sample's time can be wrong: half a round trip, and what the clocks drifted.")
  ]
}
