import Glibc
import KelvinModel
import KelvinStore

/// Captures into and out of a run's database.
enum CaptureBenchmarks {
  /// Samples of an append: a tenth of a second of 2 MS/s.
  private static let perAppend = 200_000

  private static func makeStore(_ path: String) throws -> RunStore {
    try RunStore.create(
      at: path,
      run: RunRecord(
        id: "x", name: "x", kelvinVersion: "0", commandLine: [], board: "local",
        createdWallNanoseconds: 0, sources: []),
      plan: Plan(
        settings: RunSettings(), specs: [JobSpec(id: "wk1", label: "x", workload: "x")],
        jobs: [PlannedJob(spec: 0, iteration: 1)]), life: try .current())
  }

  /// One channel of 14-bit noise at 2 MS/s, `samples` of them, into a new run in `directory`: CPU time
  /// until the database is closed.
  static func ingest(samples: Int, directory: String) throws {
    let store = try makeStore(directory)
    let capture = try store.beginCapture(
      attempt: nil, source: "bench", channels: [Channel(name: "i", unit: "A", scale: 1e-6)])
    // Every value of 14 bits alike: nothing can be left out of it.
    var state: UInt64 = 1
    let pool = (0..<8).map { _ in
      (0..<perAppend).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int64(state >> 50)
      }
    }
    let cpu = MonotonicTime.processCPUNanoseconds
    let begin = MonotonicTime.now
    for number in 0..<samples / perAppend {
      let first = Int64(number * perAppend) * 500
      try store.append(
        capture: capture,
        blocks: [
          SampleBlock(
            channel: 0, times: .regular(first: first, step: 500, count: perAppend),
            codes: pool[number % pool.count])
        ])
    }
    try store.endCapture(capture, summary: [:])
    store.close()
    let used = MonotonicTime.processCPUNanoseconds - cpu
    let wall = MonotonicTime.now - begin
    var status = stat()
    guard stat(directory + "/run.db", &status) == 0 else {
      fail("\(directory): no run.db")
    }
    print(
      #"{"samples": \#(samples), "cpu_ns": \#(used), "wall_ns": \#(wall), "bytes": \#(status.st_size)}"#
    )
  }

  /// Opening the run in `directory`, and zooms of 1,000 points into a tenth, a hundredth, ... of its
  /// capture: median wall times, each zoom somewhere else.
  static func zoom(directory: String, count: Int) throws {
    var opens: [Int64] = []
    for _ in 0..<count {
      let begin = MonotonicTime.now
      let reader = try RunReader(directory: directory)
      _ = try reader.captures(ofAttempt: nil)
      _ = try reader.interval(ofCapture: 1, channel: 0)
      opens.append(MonotonicTime.now - begin)
    }
    let reader = try RunReader(directory: directory)
    guard let whole = try reader.interval(ofCapture: 1, channel: 0) else {
      fail("\(directory): no samples")
    }
    let length = whole.upperBound - whole.lowerBound
    var results: [String] = []
    for shift in 0..<14 {
      let part = length >> Int64(shift)
      var times: [Int64] = []
      var total: Int64 = 0
      for round in 0..<count {
        let from = whole.lowerBound + (length - part) / Int64(count) * Int64(round)
        let begin = MonotonicTime.now
        let points = try reader.zoom(
          capture: 1, channel: 0, from: from, to: from + part, points: 1000)
        times.append(MonotonicTime.now - begin)
        total += points.reduce(0) { $0 + $1.count }
      }
      results.append(
        #"{"part": \#(1 << shift), "samples": \#(total / Int64(count)), "wall_ns": \#(median(times))}"#
      )
    }
    print(#"{"open_ns": \#(median(opens)), "zooms": [\#(results.joined(separator: ", "))]}"#)
  }

  /// All samples of the run's capture, decoded.
  static func read(directory: String) throws {
    let reader = try RunReader(directory: directory)
    let cpu = MonotonicTime.processCPUNanoseconds
    var (count, sum) = (0, Int64(0))
    try reader.forEachBlock(ofCapture: 1, channel: 0) { block in
      count += block.codes.count
      sum &+= block.codes[0]
    }
    let used = MonotonicTime.processCPUNanoseconds - cpu
    print(#"{"samples": \#(count), "cpu_ns": \#(used), "sum": \#(sum)}"#)
  }

  private static func median(_ values: [Int64]) -> Int64 { values.sorted()[values.count / 2] }
}
