internal import KelvinModel

extension Recipe {
  /// ab: requests to a web server.
  static let apache = Recipe(
    Declaration(
      .workload, "apache", aliases: ["ab"],
      summary: "Requests to a web server: ab of Apache.",
      description: "Run from the target against a server that is up.",
      options: [
        OptionDeclaration("host", .text, required: true, "The server."),
        OptionDeclaration("port", .integer, default: 80, range: 1...65_535, "Its port."),
        OptionDeclaration("path", .text, default: "/", "What is asked for."),
        OptionDeclaration(
          "number_of_requests", .integer, aliases: ["total_requests"], default: 100,
          range: 1...1e9, "Requests in all."),
        OptionDeclaration(
          "parallel_requests", .integer, default: 1, range: 1...20_000, "Requests at once.")
      ],
      metrics: [
        MetricDeclaration("requests_rate", unit: "1/s", "Requests a second."),
        MetricDeclaration("request_time", unit: "ms", "Mean time of a request."),
        MetricDeclaration("transfer_rate", unit: "B/s", "Bytes received a second."),
        MetricDeclaration("failed_requests", "Requests that failed."),
        MetricDeclaration("latency", unit: "ms", "By percentile.")
      ]),
    requirements: [Requirement("ab", package: "apache2-utils")],
    argv: { parameters in
      let path = parameters.text("path") ?? "/"
      return [
        "ab", "-q", "-n", "\(parameters.integer("number_of_requests") ?? 100)", "-c",
        "\(parameters.integer("parallel_requests") ?? 1)",
        "http://\(parameters.text("host") ?? ""):\(parameters.integer("port") ?? 80)"
          + (path.hasPrefix("/") ? path : "/" + path)
      ]
    },
    parse: { output in ApacheReport.metrics(try output.lines(), output) })
}

/// The report of ab(1).
enum ApacheReport {
  static func metrics(_ lines: [Substring], _ output: WorkloadOutput) -> [Metric] {
    var metrics: [Metric] = []
    var hasTime = false
    for line in lines {
      if let colon = line.firstIndex(of: ":") {
        let rest = line[line.index(after: colon)...].split(separator: " ")
        guard let first = rest.first, let value = Double(first), abs(value) < 1e300 else {
          continue
        }
        switch line[..<colon] {
        case "Requests per second":
          metrics.append(output.metric("requests_rate", value, unit: "1/s", lowerIsBetter: false))
        case "Failed requests":
          metrics.append(output.metric("failed_requests", value, lowerIsBetter: true))
        case "Time per request" where !hasTime:
          hasTime = true
          metrics.append(output.metric("request_time", value, unit: "ms", lowerIsBetter: true))
        case "Transfer rate":
          metrics.append(
            output.metric("transfer_rate", value * 1024, unit: "B/s", lowerIsBetter: false))
        default: continue
        }
      } else {
        // `  95%      4`
        let fields = line.split(separator: " ")
        guard fields.count >= 2, fields[0].hasSuffix("%"), Int(fields[0].dropLast()) != nil,
          let value = Double(fields[1]), value.isFinite
        else { continue }
        metrics.append(
          output.metric(
            "latency", value, unit: "ms", lowerIsBetter: true,
            classifiers: ["percentile": String(fields[0].dropLast())]))
      }
    }
    return metrics
  }
}
