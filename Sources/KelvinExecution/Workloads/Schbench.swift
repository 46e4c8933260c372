internal import KelvinModel

extension Recipe {
  /// schbench: wake-up latencies of the scheduler.
  static let schbench = Recipe(
    Declaration(
      .workload, "schbench", summary: "Wake-up latencies of the scheduler, by percentile.",
      options: [
        OptionDeclaration(
          "message_threads", .integer, default: 2, range: 1...10_000, "Message threads."),
        OptionDeclaration(
          "worker_threads", .integer, aliases: ["threads"], default: 16, range: 1...10_000,
          "Workers of each message thread."),
        OptionDeclaration(
          "runtime", .quantity(.time, bare: "s"), aliases: ["duration"], default: 30.0,
          range: 1...1e6, "In whole seconds."),
        OptionDeclaration(
          "sleeptime", .integer, range: 0...1e9,
          "Microseconds between a message thread's wake-ups; older versions only."),
        OptionDeclaration(
          "cputime", .integer, range: 0...1e9,
          "Microseconds that a worker thinks; older versions only."),
        OptionDeclaration(
          "auto", .boolean, default: false, "Add threads until latencies suffer."),
        OptionDeclaration(
          "pipe", .integer, range: 1...1e9, "Simulate a pipe test with this many bytes."),
        OptionDeclaration("rps", .integer, range: 1...1e9, "Requests a second, fixed."),
        OptionDeclaration(
          "intervaltime", .quantity(.time, bare: "s"), range: 1...1e6,
          "Seconds between reports; the last one counts.")
      ],
      metrics: [
        MetricDeclaration("latency", unit: "us", "By percentile, of wake-ups and of requests."),
        MetricDeclaration("requests_rate", unit: "1/s", "By percentile; newer versions only.")
      ],
      verified: "parser on the output that its source documents; Debian 12 has no package of it"),
    requirements: [
      Requirement(
        "schbench", source: "https://git.kernel.org/pub/scm/linux/kernel/git/mason/schbench.git")
    ],
    argv: { parameters in
      var argv = [
        "schbench", "-m", "\(parameters.integer("message_threads") ?? 2)", "-t",
        "\(parameters.integer("worker_threads") ?? 16)", "-r",
        parameters.wholeSeconds("runtime") ?? "30"
      ]
      for (name, flag) in [("sleeptime", "-s"), ("cputime", "-c"), ("pipe", "-p"), ("rps", "-R")] {
        if let value = parameters.integer(name) { argv += [flag, "\(value)"] }
      }
      if let seconds = parameters.wholeSeconds("intervaltime") { argv += ["-i", seconds] }
      return parameters.flag("auto") ? argv + ["-a"] : argv
    },
    parse: { output in
      SchbenchReport.metrics(try output.text() + "\n" + output.errorText(), output)
    })
}

/// The percentiles that schbench prints: `50.0th: 12` or `* 99.0th: 20 (3 samples)`. Newer versions
/// print several tables, each under a heading; the last report of each counts.
enum SchbenchReport {
  static func metrics(_ text: String, _ output: WorkloadOutput) -> [Metric] {
    var order: [String] = []
    var found: [String: Metric] = [:]
    var kind = "wakeup"
    for line in text.split(whereSeparator: \.isNewline) {
      let lower = line.lowercased()
      if lower.contains("percentiles") {
        kind = lower.hasPrefix("request") ? "request" : lower.hasPrefix("rps") ? "rps" : "wakeup"
        continue
      }
      let words = line.drop { $0 == " " || $0 == "\t" || $0 == "*" }.split(separator: ":")
      guard words.count >= 2, words[0].hasSuffix("th"), let rank = Double(words[0].dropLast(2)),
        let first = words[1].split(separator: " ").first, let value = Double(first),
        value.isFinite
      else { continue }
      let percentile = "\(rank)"  // older versions write 50.0000
      let key = kind + percentile
      if found[key] == nil { order.append(key) }
      found[key] = output.metric(
        kind == "rps" ? "requests_rate" : "latency", value, unit: kind == "rps" ? "1/s" : "us",
        lowerIsBetter: kind != "rps", classifiers: ["percentile": percentile, "of": kind])
    }
    return order.compactMap { found[$0] }
  }
}
