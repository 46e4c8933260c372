internal import KelvinModel

extension Recipe {
  /// Memory copies, by perf's benchmark.
  static let memcpy = Recipe(
    Declaration(
      .workload, "memcpy", summary: "Bandwidth of copying memory, for each implementation.",
      description: """
        'perf bench mem memcpy'; Workload Automation runs a program of its own instead, so figures \
        of the two are not comparable.
        """,
      options: [
        OptionDeclaration(
          "buffer_size", .quantity(.size, bare: "B"), default: 5_242_880.0, range: 1...1e12,
          "Size of the buffer; a bare number is in bytes."),
        OptionDeclaration(
          "iterations", .integer, aliases: ["loops"], default: 1000, range: 1...1e9, "Copies.")
      ],
      metrics: [MetricDeclaration("bandwidth", unit: "B/s", "By function.")]),
    requirements: [Requirement("perf", package: "linux-perf")],
    argv: { parameters in
      [
        "perf", "bench", "mem", "memcpy", "-s",
        "\(Int64(parameters.number("buffer_size") ?? 5e6))B",
        "-l", "\(parameters.integer("iterations") ?? 1000)"
      ]
    },
    parse: { output in
      var function = ""
      var metrics: [Metric] = []
      for line in try output.lines() {
        if line.hasPrefix("# function '") {
          function = String(line.dropFirst(12).prefix { $0 != "'" })
          continue
        }
        let fields = line.split(separator: " ")
        guard fields.count == 2, let value = Double(fields[0]), abs(value) < 1e300,
          let factor = ["B/sec": 1.0, "KB/sec": 1024, "MB/sec": 1_048_576, "GB/sec": 1_073_741_824][
            String(fields[1])]
        else { continue }
        metrics.append(
          output.metric(
            "bandwidth", value * factor, unit: "B/s", lowerIsBetter: false,
            classifiers: ["function": function]))
      }
      return metrics
    })
}
