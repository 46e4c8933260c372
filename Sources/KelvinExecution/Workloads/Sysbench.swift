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
          "Ends after so many events (memory has its own limit); default: only by time."),
        OptionDeclaration(
          "max_time", .quantity(.time, bare: "s"), aliases: ["duration"], range: 1...1e6,
          "Ends after this time, in whole seconds; default: 30 s, or never with max_requests."),
        OptionDeclaration(
          "file_test_mode", .choice(["seqwr", "seqrewr", "seqrd", "rndrd", "rndwr", "rndrw"]),
          default: "seqwr", "Mode of the fileio test; its files must be prepared in the directory."),
        OptionDeclaration("cmd_params", .argv, default: [], "Further arguments.")
      ],
      metrics: [
        MetricDeclaration("events_rate", unit: "1/s", "Events a second."),
        MetricDeclaration("events", "Events in all."),
        MetricDeclaration("test_time", unit: "s", "Time of all events."),
        MetricDeclaration("latency", unit: "ms", "By statistic: min, avg, max, 95th percentile."),
        MetricDeclaration("bandwidth", unit: "B/s", "Of memory, and of fileio by direction."),
        MetricDeclaration("iops", unit: "1/s", "Of fileio, by operation.")
      ]),
    requirements: [Requirement("sysbench", package: "sysbench")],
    argv: { parameters in
      let test = parameters.text("test") ?? "cpu"
      var argv = ["sysbench", test, "--threads=\(parameters.integer("threads") ?? 8)"]
      let events = parameters.integer("max_requests")
      argv.append("--time=\(parameters.wholeSeconds("max_time") ?? (events == nil ? "30" : "0"))")
      argv.append("--events=\(events ?? 0)")
      if test == "fileio" {
        argv.append("--file-test-mode=\(parameters.text("file_test_mode") ?? "seqwr")")
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
    func add(
      _ name: String, _ value: Double, _ unit: String, lower: Bool,
      _ classifiers: [String: String] = [:]
    ) {
      metrics.append(
        output.metric(name, value, unit: unit, lowerIsBetter: lower, classifiers: classifiers))
    }
    for line in lines {
      // `4842.33 MiB transferred (4819.07 MiB/sec)`
      if line.contains(" MiB transferred ("), let rate = bracketed(line) {
        add("bandwidth", rate * 1_048_576, "B/s", lower: false)
        continue
      }
      let parts = line.split(separator: ":", maxSplits: 1).map(\.trimmingASCIIWhitespace)
      guard let name = parts.first else { continue }
      if parts.count < 2 || parts[1].isEmpty {
        heading = String(name)
        continue
      }
      // `1.0002s`, `5147`, `95th percentile: 0.21`
      guard let value = number(parts[1]) else { continue }
      switch (heading, name) {
      case (_, "events per second"): add("events_rate", value, "1/s", lower: false)
      case (_, "Total operations"):
        // `4958541 (4934722.82 per second)`
        if let rate = bracketed(line) { add("events_rate", rate, "1/s", lower: false) }
      case (_, "total number of events"): add("events", value, "", lower: false)
      case (_, "total time"): add("test_time", value, "s", lower: true)
      case ("File operations", "reads/s"), ("File operations", "writes/s"),
        ("File operations", "fsyncs/s"):
        add("iops", value, "1/s", lower: false, ["operation": String(name.dropLast(3))])
      case ("Throughput", "read, MiB/s"):
        add("bandwidth", value * 1_048_576, "B/s", lower: false, ["direction": "read"])
      case ("Throughput", "written, MiB/s"):
        add("bandwidth", value * 1_048_576, "B/s", lower: false, ["direction": "write"])
      case ("Latency (ms)", "min"), ("Latency (ms)", "avg"), ("Latency (ms)", "max"),
        ("Latency (ms)", "95th percentile"):
        add("latency", value, "ms", lower: true, ["statistic": String(name)])
      default: continue
      }
    }
    return metrics
  }

  /// The number that a text begins with.
  private static func number(_ text: Substring) -> Double? {
    // Small enough that factors leave it finite.
    Double(text.prefix { $0.isNumber || $0 == "." }).flatMap { $0 < 1e300 ? $0 : nil }
  }

  /// The number behind the first parenthesis.
  private static func bracketed(_ line: Substring) -> Double? {
    line.firstIndex(of: "(").flatMap { number(line[line.index(after: $0)...]) }
  }
}
