internal import KelvinModel

extension Recipe {
  /// sysbench 1.0.
  static let sysbench = Recipe(
    Declaration(
      .workload, "sysbench",
      summary: "A test of sysbench 1.0: cpu, memory, threads, mutex, fileio.",
      options: [
        OptionDeclaration(
          "test", .choice(["cpu", "memory", "threads", "mutex", "fileio"]), default: "cpu",
          "Which test."),
        OptionDeclaration(
          "threads", .integer, aliases: ["num_threads"], default: 8, range: 1...65_536,
          "Worker threads."),
        OptionDeclaration(
          "max_requests", .integer, aliases: ["max_events"], range: 1...1e15,
          "Ends after so many events; default: only by time."),
        OptionDeclaration(
          "max_time", .quantity(.time, bare: "s"), aliases: ["duration"], default: 30.0,
          range: 1...1e6, "Ends after this time, in whole seconds."),
        OptionDeclaration(
          "file_test_mode", .choice(["seqwr", "seqrewr", "seqrd", "rndrd", "rndwr", "rndrw"]),
          default: "rndrw", "Mode of the fileio test; its files must be prepared in the directory."),
        OptionDeclaration("cmd_params", .argv, default: [], "Further arguments.")
      ],
      metrics: [
        MetricDeclaration("events_rate", unit: "1/s", "Events a second."),
        MetricDeclaration("events", "Events in all."),
        MetricDeclaration("latency", unit: "ms", "By statistic: min, avg, max, 95th percentile.")
      ]),
    requirements: [Requirement("sysbench", package: "sysbench")],
    argv: { parameters in
      let test = parameters.text("test") ?? "cpu"
      var argv = ["sysbench", test, "--threads=\(parameters.integer("threads") ?? 8)"]
      argv.append("--time=\(parameters.wholeSeconds("max_time") ?? "30")")
      argv.append("--events=\(parameters.integer("max_requests") ?? 0)")
      if test == "fileio" {
        argv.append("--file-test-mode=\(parameters.text("file_test_mode") ?? "rndrw")")
      }
      return argv + parameters.words("cmd_params") + ["run"]
    },
    parse: { output in SysbenchReport.metrics(try output.lines(), output) })
}

/// The report of sysbench 1.0: `name: value` lines under headings.
enum SysbenchReport {
  static func metrics(_ lines: [Substring], _ output: WorkloadOutput) -> [Metric] {
    var metrics: [Metric] = []
    var heading = ""
    for line in lines {
      let parts = line.split(separator: ":", maxSplits: 1).map(\.trimmingASCIIWhitespace)
      guard let name = parts.first else { continue }
      if parts.count < 2 || parts[1].isEmpty {
        heading = String(name)
        continue
      }
      // `1.0002s`, `5147`, `95th percentile: 0.21`
      guard let value = Double(parts[1].prefix { $0.isNumber || $0 == "." }) else { continue }
      switch (heading, name) {
      case (_, "events per second"):
        metrics.append(output.metric("events_rate", value, unit: "1/s", lowerIsBetter: false))
      case (_, "total number of events"):
        metrics.append(output.metric("events", value, lowerIsBetter: false))
      case ("Latency (ms)", "min"), ("Latency (ms)", "avg"), ("Latency (ms)", "max"),
        ("Latency (ms)", "95th percentile"):
        metrics.append(
          output.metric(
            "latency", value, unit: "ms", lowerIsBetter: true,
            classifiers: ["statistic": String(name)]))
      default: continue
      }
    }
    return metrics
  }
}
