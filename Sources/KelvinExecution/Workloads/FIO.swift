internal import Foundation
internal import KelvinModel

extension Recipe {
  /// fio: block and file I/O.
  static let fio = Recipe(
    Declaration(
      .workload, "fio", summary: "Block and file I/O: one job of fio.",
      description: """
        Without 'filename' a file of 'size' is made in the working directory and removed afterwards. \
        'filename' may be a device: what is on it is lost when 'rw' writes.
        """,
      options: [
        OptionDeclaration(
          "rw",
          .choice([
            "read", "write", "randread", "randwrite", "readwrite", "randrw", "trim"
          ]), aliases: ["readwrite"], default: "randread", "Pattern of access."),
        OptionDeclaration(
          "bs", .quantity(.size, bare: "B"), aliases: ["block_size"], default: 4096.0,
          range: 1...1e9, "Block size; a bare number is in bytes."),
        OptionDeclaration(
          "size", .quantity(.size, bare: "B"), default: 67_108_864.0, range: 512...1e15,
          "Size of the file or range."),
        OptionDeclaration(
          "runtime", .quantity(.time, bare: "s"), aliases: ["duration"],
          "Goes on for this time, in whole seconds; default: once over the size."),
        OptionDeclaration("filename", .text, "File or device on the target."),
        OptionDeclaration("numjobs", .integer, default: 1, range: 1...10_000, "Processes."),
        OptionDeclaration(
          "iodepth", .integer, default: 1, range: 1...65_536, "Requests in flight."),
        OptionDeclaration(
          "ioengine", .text, default: "psync", "As fio names it: psync, libaio, io_uring, ..."),
        OptionDeclaration("direct", .boolean, default: false, "Past the page cache."),
        OptionDeclaration("extra_args", .argv, default: [], "Further arguments.")
      ],
      metrics: [
        MetricDeclaration("bandwidth", unit: "B/s", "By direction."),
        MetricDeclaration("iops", unit: "1/s", "By direction."),
        MetricDeclaration("latency", unit: "ns", "Completion, by direction and statistic.")
      ]),
    requirements: [Requirement("fio", package: "fio")],
    argv: { parameters in
      var argv = [
        "fio", "--name=kelvin", "--output-format=json", "--group_reporting=1",
        "--rw=\(parameters.text("rw") ?? "randread")",
        "--bs=\(Int64(parameters.number("bs") ?? 4096))",
        "--size=\(Int64(parameters.number("size") ?? 67_108_864))",
        "--numjobs=\(parameters.integer("numjobs") ?? 1)",
        "--iodepth=\(parameters.integer("iodepth") ?? 1)",
        "--ioengine=\(parameters.text("ioengine") ?? "psync")",
        "--direct=\(parameters.flag("direct") ? 1 : 0)"
      ]
      if let seconds = parameters.wholeSeconds("runtime") {
        argv += ["--time_based=1", "--runtime=\(seconds)"]
      }
      if let filename = parameters.text("filename") {
        argv.append("--filename=\(filename)")
      } else {
        // Of no other job, and gone with this one.
        argv += ["--filename=/tmp/kelvin-fio-\(UInt64.random(in: 0...UInt64.max))", "--unlink=1"]
      }
      return argv + parameters.words("extra_args")
    },
    parse: { output in FIOReport.metrics(try output.text(), output) })
}

/// The JSON of fio 3: what is read of it.
enum FIOReport {
  private struct Report: Decodable { var jobs: [Job] }
  private struct Job: Decodable {
    var read: Direction?
    var write: Direction?
    var trim: Direction?
  }
  private struct Direction: Decodable {
    var bw_bytes: Double?
    var iops: Double?
    var total_ios: Double?
    var clat_ns: Latency?
  }
  private struct Latency: Decodable {
    var mean: Double?
    var max: Double?
    var percentile: [String: Double]?
  }

  static func metrics(_ text: String, _ output: WorkloadOutput) -> [Metric] {
    // Warnings may stand before the object.
    guard let brace = text.firstIndex(of: "{"),
      let report = try? JSONDecoder().decode(Report.self, from: Data(text[brace...].utf8)),
      let job = report.jobs.first
    else { return [] }
    var metrics: [Metric] = []
    for (name, direction) in [("read", job.read), ("write", job.write), ("trim", job.trim)] {
      guard let direction, direction.total_ios ?? 0 > 0 else { continue }
      func add(
        _ metric: String, _ value: Double?, _ unit: String, lower: Bool, _ statistic: String? = nil
      ) {
        guard let value, value.isFinite else { return }
        var classifiers = ["direction": name]
        classifiers["statistic"] = statistic
        metrics.append(
          output.metric(metric, value, unit: unit, lowerIsBetter: lower, classifiers: classifiers))
      }
      add("bandwidth", direction.bw_bytes, "B/s", lower: false)
      add("iops", direction.iops, "1/s", lower: false)
      add("latency", direction.clat_ns?.mean, "ns", lower: true, "mean")
      add("latency", direction.clat_ns?.max, "ns", lower: true, "max")
      for percentile in ["50.000000", "99.000000", "99.900000"] {
        add(
          "latency", direction.clat_ns?.percentile?[percentile], "ns", lower: true,
          "p" + percentile.prefix { $0 != "." }
            + (percentile.hasSuffix(".900000") ? ".9" : ""))
      }
    }
    return metrics
  }
}
