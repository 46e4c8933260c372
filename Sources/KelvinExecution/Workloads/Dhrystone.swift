internal import KelvinModel

extension Recipe {
  /// The dhrystone that Workload Automation brings along.
  static let dhrystone = Recipe(
    Declaration(
      .workload, "dhrystone", summary: "Workload Automation's multi-threaded dhrystone.",
      options: [
        OptionDeclaration(
          "duration", .quantity(.time, bare: "s"), default: 10.0, range: 1...1e6,
          "In whole seconds; not together with mloops."),
        OptionDeclaration(
          "mloops", .integer, range: 1...1e9, "Millions of loops instead of a time."),
        OptionDeclaration("threads", .integer, default: 4, range: 1...10_000, "Threads."),
        OptionDeclaration(
          "delay", .integer, default: 0, range: 0...1e6, "Seconds between the threads' starts.")
      ],
      metrics: [MetricDeclaration("dmips", unit: "DMIPS", "Of each thread, and in all.")],
      verified: "parser on the output that its source documents; Debian has no package of it"),
    requirements: [
      Requirement(
        "dhrystone",
        source: "https://github.com/ARM-software/workload-automation (wa/workloads/dhrystone/src)")
    ],
    argv: { parameters in
      var argv = ["dhrystone"]
      if let loops = parameters.integer("mloops") {
        argv += ["-l", "\(loops)"]
      } else {
        argv += ["-r", parameters.wholeSeconds("duration") ?? "10"]
      }
      return argv + [
        "-t", "\(parameters.integer("threads") ?? 4)", "-d", "\(parameters.integer("delay") ?? 0)"
      ]
    },
    parse: { output in
      var values: [Double] = []
      for line in try output.lines() {
        guard let range = line.firstRange(of: "DMIPS") else { continue }
        let number =
          line[..<range.lowerBound].split { !$0.isNumber && $0 != "." }.last
          ?? line[range.upperBound...].split { !$0.isNumber && $0 != "." }.first
        if let number, let value = Double(number), value.isFinite { values.append(value) }
      }
      guard !values.isEmpty else { return [] }
      return values.enumerated().map { index, value in
        output.metric(
          "dmips", value, unit: "DMIPS", lowerIsBetter: false,
          classifiers: ["thread": "\(index)"])
      } + [
        output.metric(
          "dmips", values.reduce(0, +), unit: "DMIPS", lowerIsBetter: false,
          classifiers: ["thread": "all"])
      ]
    })
}
