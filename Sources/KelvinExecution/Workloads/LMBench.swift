internal import KelvinModel

extension Recipe {
  /// lmbench: memory latency and bandwidth.
  static let lmbench = Recipe(
    Declaration(
      .workload, "lmbench",
      summary: "Memory latency and bandwidth: lat_mem_rd and bw_mem of lmbench.",
      options: [
        OptionDeclaration(
          "test", .choice(["lat_mem_rd", "bw_mem"]), default: "lat_mem_rd", "Which program."),
        OptionDeclaration(
          "size", .text, default: "4m",
          "Size of the memory: megabytes for lat_mem_rd, as '4m' for bw_mem."),
        OptionDeclaration(
          "stride", .integer, default: 128, range: 1...1e9, "Stride in bytes (lat_mem_rd)."),
        OptionDeclaration(
          "mem_category",
          .choice(["rd", "wr", "rdwr", "cp", "fwr", "frd", "fcp", "bzero", "bcopy"]),
          default: "rd", "Kind of access (bw_mem)."),
        OptionDeclaration("parallelism", .integer, range: 1...10_000, "Instances at once."),
        OptionDeclaration("repetitions", .integer, range: 1...1e6, "Repetitions."),
        OptionDeclaration(
          "thrash", .boolean, default: true, "Against prefetching (lat_mem_rd).")
      ],
      metrics: [
        MetricDeclaration("latency", unit: "ns", "By size in MB."),
        MetricDeclaration("bandwidth", unit: "MB/s", "By size in MB.")
      ],
      verified: "parser on the output that its manual documents; Debian's main has no package of it"
    ),
    argv: { parameters in
      let test = parameters.text("test") ?? "lat_mem_rd"
      let size = parameters.text("size") ?? "4m"
      var argv = [test]
      if let count = parameters.integer("parallelism") { argv += ["-P", "\(count)"] }
      if let count = parameters.integer("repetitions") { argv += ["-N", "\(count)"] }
      if test == "bw_mem" { return argv + [size, parameters.text("mem_category") ?? "rd"] }
      if parameters.flag("thrash") { argv.append("-t") }
      let megabytes = size.hasSuffix("m") ? String(size.dropLast()) : size
      return argv + [megabytes, "\(parameters.integer("stride") ?? 128)"]
    },
    optional: [
      Requirement("lat_mem_rd", source: "https://sourceforge.net/projects/lmbench"),
      Requirement("bw_mem", source: "https://sourceforge.net/projects/lmbench")
    ],
    // Both print on standard error.
    parse: { output in
      let isLatency = output.parameters.text("test") != "bw_mem"
      return try (output.errorText() + "\n" + output.text()).split(whereSeparator: \.isNewline)
        .compactMap { line in
          let fields = line.split(separator: " ")
          guard fields.count == 2, let size = Double(fields[0]), let value = Double(fields[1]),
            size.isFinite, value.isFinite
          else { return nil }
          return output.metric(
            isLatency ? "latency" : "bandwidth", value, unit: isLatency ? "ns" : "MB/s",
            lowerIsBetter: isLatency, classifiers: ["size": String(fields[0])])
        }
    })
}
