// Samplers as Benchmarks/bench.py compares them with Benchmarks/C/sampler.c.

import Glibc
import KelvinConnections
import KelvinModel

enum SamplingBenchmarks {
  /// The sampler of a run, at its period, drained ten times a second as an instrument does.
  ///
  /// - Parameter connection: of the board; the files are its own.
  static func sample(
    _ plan: SamplePlan, seconds: Int, over connection: any Connection
  ) async throws {
    let source = try await connection.sampler(plan)
    try await source.start()
    var samples = 0
    var first: Int64?
    var last: Int64 = 0
    func take() {
      for sample in source.drain() where sample.channel == 0 {
        if first == nil { first = sample.nanoseconds }
        last = sample.nanoseconds
        samples += plan.files.count
      }
    }
    for _ in 0..<(seconds * 10) {
      usleep(100_000)
      take()
    }
    let summary = await source.stop()
    take()
    await connection.close()
    let drift = last - (first ?? 0) - (summary.ticks - 1) * plan.periodNanoseconds
    let probe = summary.probe
    print(
      """
      {"ticks": \(summary.ticks), "overruns": \(summary.overruns), "late": \(summary.lateTicks), \
      "mean_lateness_ns": \(summary.meanLateness), "max_lateness_ns": \(summary.maxLateness), \
      "cpu_ns": \(summary.cpuNanoseconds ?? 0), "samples": \(samples), \
      "lost": \(summary.lostSamples), "realtime": \(summary.isRealtime), "drift_ns": \(drift), \
      "clock_bound_ns": \(summary.clockBound ?? 0), "wakeups": \(probe?.wakeUps ?? 0), \
      "bytes": \((probe?.bytesOut ?? 0) + (probe?.bytesIn ?? 0)), \
      "link_wakeups": \(probe?.linkWakeUps ?? -1), "link_cpu_ns": \(probe?.linkCPUNanoseconds ?? -1)}
      """)
  }

  /// On this machine.
  static func local(seconds: Int, period: Int, files: [String]) async throws {
    try await sample(
      SamplePlan(files: files.map { TargetPath($0) }, periodNanoseconds: Int64(period)),
      seconds: seconds, over: LocalConnection())
  }

  /// On a board behind a link: by the program there, its samples kept or sent, or through its shell.
  static func board(
    _ way: String, seconds: Int, period: Int, list: String, _ words: ArraySlice<String>
  ) async throws {
    let files = try await ConnectionBenchmarks.lines(of: list)
    try await sample(
      SamplePlan(
        files: files.map { TargetPath($0) }, periodNanoseconds: Int64(period),
        onBoard: way == "shell" ? .never : .always, buffer: way == "keep" ? 16 << 20 : nil),
      seconds: seconds, over: try ConnectionBenchmarks.connection(words))
  }
}
