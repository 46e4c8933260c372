import KelvinModel
import KelvinStore
import Testing

@testable import KelvinOutputs

struct SummaryTableTests {
  let directory = TemporaryDirectory()

  @Test func showsFiguresAndFailures() throws {
    let run = try SampleRun(at: directory("run"))
    try run.fill()
    #expect(
      try SummaryTable.render(run: run.reader, columns: 100) == """
        workload         metric              n    mean  ± sd     min     max  unit
        openssl, "fast"  execution_time      1  1.5000        1.5000  1.5000  s
                         interrupts {cpu=0}  1      12            12      12
                         interrupts {cpu=1}  1      34            34      34
        idle             n                   1       3             3       3

        jobs 7: 1 ok, 1 partial, 2 failed, 1 aborted, 1 skipped, 1 not ended
          wk2 idle, iteration 1: partial: perf: unavailable
          wk1 openssl, "fast", iteration 2: failed: workload: exit code 1: <&>\u{FFFD} "' second line
          wk2 idle, iteration 2: aborted: SIGINT
          wk1 openssl, "fast", iteration 3: failed: timeout: run took longer than 1 s

        """)
  }

  @Test func givesMeanAndDeviationOverIterations() throws {
    let run = try SampleRun(at: directory("run"))
    for (job, value) in [(0, 2.0), (2, 4.0), (4, 6.0)] {
      try run.attempt(
        job, 1, .ok, jobOutcome: .ok,
        metrics: [
          Metric("time", .number(value), unit: "s"), Metric("big", .number(value * 1e12)),
          Metric("small", .number(value * 1e-7), unit: "A"), Metric("text", .text("x")),
          Metric("zero", .integer(0)), Metric("negative", .number(-value / 3))
        ])
    }
    #expect(
      try SummaryTable.render(run: run.reader, columns: 100) == """
        workload         metric    n       mean       ± sd        min        max  unit
        openssl, "fast"  time      3          4          2          2          6  s
                         big       3  4.000e+12  2.000e+12  2.000e+12  6.000e+12
                         small     3  4.000e-07  2.000e-07  2.000e-07  6.000e-07  A
                         zero      3          0          0          0          0
                         negative  3    -1.3333     0.6667    -2.0000    -0.6667

        jobs 7: 3 ok, 4 not ended

        """)
  }

  @Test func showsHowFarValuesCanBeTrusted() throws {
    let run = try SampleRun(at: directory("run"))
    for (job, value) in [(0, 12.25), (2, 12.75)] {
      try run.attempt(
        job, 1, .ok, jobOutcome: .ok,
        metrics: [
          Metric("energy", .number(value), unit: "J", uncertainty: 0.07),
          Metric("time", .number(2), unit: "s")
        ])
    }
    #expect(
      try SummaryTable.render(run: run.reader, columns: 100) == """
        workload         metric  n    mean  ± k=2   ± sd     min     max  unit
        openssl, "fast"  energy  2  12.500   0.14  0.354  12.250  12.750  J
                         time    2       2             0       2       2  s

        jobs 7: 2 ok, 5 not ended

        """)
  }

  @Test func keepsControlCharactersFromTheTerminal() throws {
    let run = try SampleRun(at: directory("run"))
    let hostile = "\u{1B}[2J\u{9B}31m\u{7}\r\nx"
    try run.attempt(
      0, 1, .ok, jobOutcome: Outcome(.partial, hostile),
      metrics: [Metric(hostile, .integer(1), unit: hostile, classifiers: [hostile: hostile])])
    let text = try SummaryTable.render(run: run.reader, columns: 300)
    #expect(
      text.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control })
    #expect(text.contains("\u{FFFD}[2J\u{FFFD}31m\u{FFFD} x"))
  }

  @Test(arguments: [20, 40, 60, 80, 200]) func fitsTheTerminal(columns: Int) throws {
    let run = try SampleRun(at: directory("run"))
    let long = String(repeating: "very_long_metric_name_", count: 5)
    try run.attempt(
      0, 1, .ok, jobOutcome: .ok, metrics: [Metric(long, .number(1.25), unit: "s")])
    try run.attempt(1, 1, .ok, jobOutcome: Outcome(.failed(.target), long))
    let text = try SummaryTable.render(run: run.reader, columns: columns)
    let table = text.split(separator: "\n", omittingEmptySubsequences: false).prefix { !$0.isEmpty }
    // Names keep 12 and 16 columns, figures what they need.
    let least = 12 + 16 + 2 * 7 + 1 + 4 * 6 + 4
    #expect(table.count == 2)
    for line in table { #expect(line.count <= max(columns, least), "\(line)") }
    #expect(text.contains("…") == (columns < 170))
  }

  @Test func leavesOutWhatWouldFloodTheTerminal() throws {
    let run = try SampleRun(at: directory("run"))
    let metrics = (0..<100).map {
      Metric("interrupts", .integer(1), classifiers: ["cpu": "\($0)"])
    }
    try run.attempt(0, 1, .ok, jobOutcome: .ok, metrics: metrics)
    #expect(
      try SummaryTable.render(run: run.reader, columns: 80) == """
        openssl, "fast" interrupts: one value per classifier, see results.csv

        jobs 7: 1 ok, 6 not ended

        """)
  }

  @Test func tellsWorkloadsOfOneLabelApart() throws {
    let specs = (0..<60).map { JobSpec(id: "wk\($0)", label: "same", workload: "idle") }
    let jobs = (0..<60).map { PlannedJob(spec: $0, iteration: 1) }
    let store = try RunStore.create(
      at: directory("run"),
      run: RunRecord(
        id: "", name: "", kelvinVersion: "", commandLine: [], board: "",
        createdWallNanoseconds: 0, sources: []),
      plan: Plan(settings: .init(), specs: specs, jobs: jobs), life: deadLife)
    for job in 0..<60 {
      let attempt = try store.beginAttempt(job: job, number: 1, startedWallNanoseconds: 0)
      var result = AttemptResult(.ok)
      result.metrics = [Metric("m", .integer(Int64(job)))]
      let outcome: Outcome = job < 55 ? .ok : Outcome(.partial, "x")
      try store.finishAttempt(attempt, result, jobOutcome: outcome)
    }
    let text = try SummaryTable.render(run: RunReader(directory: directory("run")), columns: 80)
    #expect(text.contains("\nsame (wk49)  m       1    49         49   49\n"))
    #expect(!text.contains("wk50)"))
    #expect(text.contains("\n10 more workloads: see results.csv\n"))
  }
}
