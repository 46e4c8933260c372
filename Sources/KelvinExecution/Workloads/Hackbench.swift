internal import KelvinModel

extension Recipe {
  /// hackbench: scheduler and pipe or socket throughput.
  static let hackbench = Recipe(
    Declaration(
      .workload, "hackbench",
      summary: "Time of a fixed amount of message passing between many tasks.",
      description: """
        hackbench of rt-tests, or the same load by 'perf bench sched messaging' with tool: perf.
        """,
      options: [
        OptionDeclaration(
          "tool", .choice(["hackbench", "perf"]), default: "hackbench",
          "hackbench of rt-tests, or 'perf bench sched messaging'."),
        OptionDeclaration(
          "groups", .integer, default: 10, range: 1...100_000,
          "Groups of 20 senders and 20 receivers each."),
        OptionDeclaration(
          "loops", .integer, default: 100, range: 1...1e9, "Messages that each sender passes."),
        OptionDeclaration(
          "datasize", .integer, default: 100, range: 1...1e6, "Bytes of a message (hackbench only)."
        ),
        OptionDeclaration(
          "fds", .integer, default: 40, range: 2...10_000,
          "File descriptors of a group (hackbench only)."),
        OptionDeclaration("extra_params", .argv, default: [], "Further arguments.")
      ],
      metrics: [MetricDeclaration("test_time", unit: "s", "Time of all messages.")]),
    argv: { parameters in
      let groups = "\(parameters.integer("groups") ?? 10)"
      let loops = "\(parameters.integer("loops") ?? 100)"
      if parameters.text("tool") == "perf" {
        return ["perf", "bench", "sched", "messaging", "-g", groups, "-l", loops]
          + parameters.words("extra_params")
      }
      return [
        "hackbench", "-g", groups, "-l", loops, "-s", "\(parameters.integer("datasize") ?? 100)",
        "-f", "\((parameters.integer("fds") ?? 40) / 2)"
      ] + parameters.words("extra_params")
    },
    optional: [
      Requirement("hackbench", package: "rt-tests"), Requirement("perf", package: "linux-perf")
    ],
    parse: { output in
      for line in try output.lines() {
        // `Time: 0.083` and `Total time: 0.066 [sec]`
        guard let colon = line.firstIndex(of: ":"),
          ["Time", "Total time"].contains(line[..<colon].trimmingASCIIWhitespace),
          let text = line[line.index(after: colon)...].split(separator: " ").first,
          let seconds = Double(text), seconds.isFinite
        else { continue }
        return [output.metric("test_time", seconds, unit: "s", lowerIsBetter: true)]
      }
      return []
    })
}
