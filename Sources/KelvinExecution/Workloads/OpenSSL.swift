internal import KelvinModel

extension Recipe {
  /// `openssl speed`: what cryptography costs.
  static let openssl = Recipe(
    Declaration(
      .workload, "openssl", summary: "Throughput of cryptography: openssl speed.",
      description: """
        Runs 'openssl speed -mr' for one algorithm. Ciphers and digests give a throughput for each \
        block size, asymmetric algorithms signatures and verifications a second.
        """,
      options: [
        OptionDeclaration(
          "algorithm", .text, default: "aes-256-cbc",
          "As openssl names it: aes-256-gcm, sha256, rsa2048, ecdsap256, ..."),
        OptionDeclaration(
          "duration", .quantity(.time, bare: "s"), default: 3.0, range: 1...3600,
          "Of each block size or operation, in whole seconds."),
        OptionDeclaration(
          "block_size", .integer, aliases: ["bytes"], range: 1...1e9,
          "Only this block size; default: openssl's six, each for the whole duration."),
        OptionDeclaration(
          "threads", .integer, default: 1, range: 1...1024, "Processes at once, by '-multi'."),
        OptionDeclaration(
          "use_system_binary", .boolean, default: true,
          "Workload Automation's; the target's own openssl is always used.")
      ],
      metrics: [
        MetricDeclaration("throughput", unit: "B/s", "By block_size."),
        MetricDeclaration("signatures", unit: "1/s", "Of asymmetric algorithms."),
        MetricDeclaration("verifications", unit: "1/s", "Of asymmetric algorithms."),
        MetricDeclaration("key_agreements", unit: "1/s", "Of ecdh and ffdh.")
      ]),
    requirements: [Requirement("openssl", package: "openssl")],
    argv: { parameters in
      let algorithm = parameters.text("algorithm") ?? ""
      var argv = ["openssl", "speed", "-mr", "-seconds", parameters.wholeSeconds("duration") ?? "3"]
      if let bytes = parameters.integer("block_size") { argv += ["-bytes", "\(bytes)"] }
      if let threads = parameters.integer("threads"), threads > 1 {
        argv += ["-multi", "\(threads)"]
      }
      let isAsymmetric = ["rsa", "dsa", "ecdsa", "ecdh", "eddsa", "ed25519", "ed448", "ffdh"]
        .contains { algorithm.hasPrefix($0) }
      return argv + (isAsymmetric ? [algorithm] : ["-evp", algorithm])
    },
    parse: { output in OpenSSLReport.metrics(try output.lines(), output) })
}

/// The lines of `openssl speed -mr` (apps/speed.c): `+H` block sizes, `+F` throughputs for them,
/// `+F2` to `+F6` operations of asymmetric algorithms.
enum OpenSSLReport {
  static func metrics(_ lines: [Substring], _ output: WorkloadOutput) -> [Metric] {
    var sizes: [Substring] = []
    var metrics: [Metric] = []
    for line in lines {
      if sizes.isEmpty, let heading = line.firstRange(of: "+H:") {
        // With -multi only the children say it: `Got: +H:16:64 from 0`.
        sizes = line[heading.upperBound...].prefix { $0 != " " }.split(separator: ":")
        continue
      }
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      switch fields.first {
      case "+F" where fields.count >= 4:
        // With -multi the children's lines begin with 'Got:'; this is the sum.
        let values = fields.dropFirst(3).map { Double($0) }
        metrics.removeAll { $0.name == "throughput" }
        for (size, value) in zip(sizes, values) {
          guard let value, value.isFinite else { continue }
          metrics.append(
            output.metric(
              "throughput", value, unit: "B/s", lowerIsBetter: false,
              classifiers: ["block_size": String(size)]))
        }
      case "+F2", "+F3", "+F4", "+F6":
        let values = fields.dropFirst(3).compactMap { Double($0) }.filter(\.isFinite)
        guard values.count >= 2 else { continue }
        metrics += [
          output.metric("signatures", values[0], unit: "1/s", lowerIsBetter: false),
          output.metric("verifications", values[1], unit: "1/s", lowerIsBetter: false)
        ]
      case "+F5":
        guard let value = fields.dropFirst(3).compactMap({ Double($0) }).first, value.isFinite
        else { continue }
        metrics.append(output.metric("key_agreements", value, unit: "1/s", lowerIsBetter: false))
      default: continue
      }
    }
    return metrics
  }
}
