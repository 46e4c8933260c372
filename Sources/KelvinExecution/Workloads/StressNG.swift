internal import KelvinModel

extension Recipe {
  /// stress-ng: one of its hundreds of stressors.
  static let stressNG = Recipe(
    Declaration(
      .workload, "stress-ng", aliases: ["stress_ng"],
      summary: "Any stressor of stress-ng, in bogo operations a second.",
      options: [
        OptionDeclaration("stressor", .text, default: "cpu", "See 'stress-ng --help'."),
        OptionDeclaration(
          "extra_args", .argv, default: [], "Further arguments, e.g. '--cpu-method fft'."),
        OptionDeclaration(
          "threads", .integer, default: 0, range: 0...65_536,
          "Instances of the stressor; 0 means one for each CPU."),
        OptionDeclaration(
          "duration", .quantity(.time, bare: "s"), default: 60.0, range: 1...1e6,
          "In whole seconds.")
      ],
      metrics: [
        MetricDeclaration("bogo_ops", "Operations in all."),
        MetricDeclaration("bogo_ops_rate", unit: "1/s", "By real time."),
        MetricDeclaration("bogo_ops_cpu_rate", unit: "1/s", "By CPU time.")
      ]),
    requirements: [Requirement("stress-ng", package: "stress-ng")],
    argv: { parameters in
      [
        "stress-ng", "--\(parameters.text("stressor") ?? "cpu")",
        "\(parameters.integer("threads") ?? 0)", "--timeout",
        "\(parameters.wholeSeconds("duration") ?? "60")s", "--metrics-brief", "--no-rand-seed"
      ] + parameters.words("extra_args")
    },
    // It reports on standard output or standard error, depending on its version.
    parse: { output in
      StressNGReport.metrics(try output.text() + "\n" + output.errorText(), output)
    })
}

/// The table of `stress-ng --metrics-brief`: stressor, bogo ops, real, user and system time, rates
/// by real and by CPU time.
enum StressNGReport {
  static func metrics(_ text: String, _ output: WorkloadOutput) -> [Metric] {
    var metrics: [Metric] = []
    for line in text.split(whereSeparator: \.isNewline) {
      // `stress-ng: metrc: [123] cpu  5023  1.00 ...`; older ones say `info:`.
      guard let bracket = line.firstIndex(of: "]") else { continue }
      let fields = line[line.index(after: bracket)...].split(separator: " ")
      // With '--metrics' among the arguments two more columns follow.
      let numbers = fields.dropFirst().prefix(6).compactMap { Double($0) }.filter(\.isFinite)
      guard numbers.count == 6, let stressor = fields.first else { continue }
      let (operations, rate, cpuRate) = (numbers[0], numbers[4], numbers[5])
      let classifiers = ["stressor": String(stressor)]
      metrics += [
        output.metric("bogo_ops", operations, lowerIsBetter: false, classifiers: classifiers),
        output.metric(
          "bogo_ops_rate", rate, unit: "1/s", lowerIsBetter: false, classifiers: classifiers),
        output.metric(
          "bogo_ops_cpu_rate", cpuRate, unit: "1/s", lowerIsBetter: false,
          classifiers: classifiers)
      ]
    }
    return metrics
  }
}
