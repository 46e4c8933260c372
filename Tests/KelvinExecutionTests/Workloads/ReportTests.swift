import KelvinModel
import Testing

@testable import KelvinExecution

/// The parsers of the tools' reports, on real output (recorded on Debian 12), cut and damaged.
@Suite struct ReportTests {
  struct Report: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let metrics: Int
    let parse: @Sendable (String, WorkloadOutput) -> [Metric]
    var testDescription: String { name }
  }

  static let output = WorkloadOutput(
    parameters: Parameters(values: [:]), standardOutputPath: "", standardErrorPath: "",
    source: "test")

  static func lines(
    _ parse: @escaping @Sendable ([Substring], WorkloadOutput) -> [Metric]
  ) -> @Sendable (String, WorkloadOutput) -> [Metric] {
    { text, output in parse(text.split(whereSeparator: \.isNewline), output) }
  }

  static let reports = [
    Report(
      name: "openssl",
      text: "+H:16:64:1024\n+F:25:AES-256-GCM:1.5:2146143676.77:3\n", metrics: 3,
      parse: lines(OpenSSLReport.metrics)),
    Report(
      name: "openssl rsa", text: "+F2:2:2048:4818.000000:80482.000000\n", metrics: 2,
      parse: lines(OpenSSLReport.metrics)),
    Report(
      name: "stress-ng",
      text: """
        stress-ng: info:  [22968] dispatching hogs: 1 switch
        stress-ng: metrc: [22968] stressor       bogo ops real time  usr time  sys time   bogo ops/s     bogo ops/s
        stress-ng: metrc: [22968]                           (secs)    (secs)    (secs)   (real time) (usr+sys time)
        stress-ng: metrc: [22968] switch            28766      1.00      0.01      0.74     28751.28       38639.36
        stress-ng: info:  [22968] successful run completed in 1.00s

        """, metrics: 3, parse: { StressNGReport.metrics($0, $1) }),
    Report(
      name: "sysbench",
      text: """
        CPU speed:
            events per second:  5141.62

        General statistics:
            total time:                          1.0002s
            total number of events:              5147

        Latency (ms):
                 min:                                    0.19
                 avg:                                    0.19
                 max:                                    0.26
                 95th percentile:                        0.21
                 sum:                                  999.39

        Threads fairness:
            events (avg/stddev):           5147.0000/0.00

        """, metrics: 7, parse: lines(SysbenchReport.metrics)),
    Report(
      name: "ab",
      text: """
        Failed requests:        0
        Requests per second:    1822.66 [#/sec] (mean)
        Time per request:       1.097 [ms] (mean)
        Time per request:       0.549 [ms] (mean, across all concurrent requests)
        Transfer rate:          768.93 [Kbytes/sec] received
          50%      1
         100%      4 (longest request)

        """, metrics: 6, parse: lines(ApacheReport.metrics)),
    Report(
      name: "fio",
      text: """
        {"jobs": [{"read": {"bw_bytes": 94072967, "iops": 22967.03, "total_ios": 22990,
        "clat_ns": {"mean": 42623.2, "max": 1601809, "percentile": {"50.000000": 41728,
        "99.000000": 66048, "99.900000": 118272}}}, "write": {"total_ios": 0}}]}

        """, metrics: 7, parse: { FIOReport.metrics($0, $1) }),
    Report(
      name: "schbench",
      text: """
        Wakeup Latencies percentiles (usec) runtime 5 (s) (3 total samples)
        \t  50.0th: 12         (3 samples)
        \t* 99.0th: 20         (3 samples)
        \t  99.9th: 33         (1 samples)

        """, metrics: 3, parse: { SchbenchReport.metrics($0, $1) })
  ]

  @Test(arguments: reports)
  func readsTheWholeReport(report: Report) {
    let metrics = report.parse(report.text, Self.output)
    #expect(metrics.count == report.metrics, "\(metrics.map(\.name))")
    #expect(metrics.allSatisfy { $0.value.double?.isFinite == true })
  }

  @Test(arguments: reports)
  func survivesEveryTruncation(report: Report) {
    for length in 0..<report.text.count {
      let metrics = report.parse(String(report.text.prefix(length)), Self.output)
      #expect(metrics.count <= report.metrics)
    }
  }

  @Test(arguments: reports)
  func survivesDamage(report: Report) {
    var random = SplitMix(state: 42)
    for _ in 0..<500 {
      var bytes = Array(report.text.utf8)
      for _ in 0..<(1 + Int(random.next() % 4)) {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      let metrics = report.parse(String(decoding: bytes, as: UTF8.self), Self.output)
      #expect(metrics.allSatisfy { $0.value.double?.isFinite == true })
    }
  }

  @Test func valuesAreThoseOfTheReport() {
    let ssl = Self.reports[0].parse(Self.reports[0].text, Self.output)
    #expect(ssl[1].value == .number(2_146_143_676.77))
    #expect(ssl[1].classifiers == ["block_size": "64"])
    let fio = Self.reports[5].parse(Self.reports[5].text, Self.output)
    #expect(
      fio.map { $0.classifiers["statistic"] ?? "" } == [
        "", "", "mean", "max", "p50", "p99", "p99.9"
      ])
  }
}
