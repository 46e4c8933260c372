internal import KelvinModel

extension Recipe {
  /// The dhrystone that Workload Automation brings along.
  static let dhrystone = Recipe(
    Declaration(
      .workload, "dhrystone", summary: "Workload Automation's multi-threaded dhrystone.",
      description: """
        By default a fixed number of loops, shared out among the threads. With 'duration' the program \
        tells only how much CPU time went by, and no DMIPS.
        """,
      options: [
        OptionDeclaration(
          "mloops", .integer, default: 100, range: 0...2000,
          "Millions of loops in all; ignored when there is a duration."),
        OptionDeclaration(
          "duration", .quantity(.time, bare: "s"), default: 0.0, range: 0...1e6,
          "Run for this time instead, in whole seconds; 0 means by loops."),
        OptionDeclaration("threads", .integer, default: 4, range: 1...10_000, "Processes at once."),
        OptionDeclaration(
          "delay", .integer, default: 0, range: 0...1e6, "Seconds between the threads' starts.")
      ],
      metrics: [
        MetricDeclaration("dmips", unit: "DMIPS", "Of each thread, and in all."),
        MetricDeclaration(
          "cpu_time", unit: "s", "Of the first process, the one that starts others.")
      ],
      verified: "built from its source and run on Debian 12; Debian has no package of it"),
    requirements: [
      Requirement(
        "dhrystone",
        source: "https://github.com/ARM-software/workload-automation (wa/workloads/dhrystone/src)")
    ],
    argv: { parameters in
      let mode =
        parameters.number("duration") ?? 0 > 0
        ? ["-r", parameters.wholeSeconds("duration") ?? "1"]
        : ["-l", "\(parameters.integer("mloops") ?? 100)"]
      return ["dhrystone"] + mode + [
        "-t", "\(parameters.integer("threads") ?? 4)", "-d", "\(parameters.integer("delay") ?? 0)"
      ]
    },
    parse: { output in
      var values: [Double] = []
      var metrics: [Metric] = []
      for line in try output.lines() {
        // `                           54434 DMIPS`, `Total dhrystone run time: 0.109572 seconds.`
        let words = line.split(separator: " ")
        if words.count == 2, words[1] == "DMIPS", let value = Double(words[0]), abs(value) < 1e300 {
          values.append(value)
        } else if words.count == 6, line.hasPrefix("Total dhrystone run time:"),
          let seconds = Double(words[4]), seconds.isFinite
        {
          // It is clock(3), whatever its name says.
          metrics.append(output.metric("cpu_time", seconds, unit: "s", lowerIsBetter: nil))
        }
      }
      metrics += values.enumerated().map { index, value in
        output.metric(
          "dmips", value, unit: "DMIPS", lowerIsBetter: false,
          classifiers: ["thread": "\(index)"])
      }
      if !values.isEmpty {
        metrics.append(
          output.metric(
            "dmips", values.reduce(0, +), unit: "DMIPS", lowerIsBetter: false,
            classifiers: ["thread": "all"]))
      }
      return metrics
    })
}
