import KelvinModel
import KelvinOutputs
import KelvinStore
import Testing

struct CSVOutputTests {
  let directory = TemporaryDirectory()
  let run: SampleRun
  let file: String

  init() throws {
    run = try SampleRun(at: directory("run"))
    file = directory("run/results.csv")
  }

  /// The file as Python's csv module reads it.
  private func rows() -> String {
    python(
      """
      import csv
      for row in csv.reader(open('\(file)', newline='')): print(row)
      """, in: directory)
  }

  @Test(.enabled(if: hasTool("python3"), "needs python3"))
  func listsTheMetricsOfLastAttempts() throws {
    try run.fill()
    let artifacts = try CSVOutput.make().process(run: run.reader, to: run.path)
    #expect(artifacts.map(\.path) == ["results.csv"])
    #expect(
      rows() == #"""
        ['id', 'workload', 'iteration', 'attempt', 'metric', 'value', 'units', 'uncertainty']
        ['wk1', 'openssl, "fast"', '1', '2', 'execution_time', '1.5', 's', '']
        ['wk1', 'openssl, "fast"', '1', '2', 'interrupts', '12', '', '']
        ['wk1', 'openssl, "fast"', '1', '2', 'interrupts', '34', '', '']
        ['wk1', 'openssl, "fast"', '1', '2', 'version', '1,2 "three"\r\nfour', '', '']
        ['wk1', 'openssl, "fast"', '1', '2', 'odd', 'nan', '', '']
        ['wk1', 'openssl, "fast"', '1', '2', 'odder', '-inf', '', '']
        ['wk2', 'idle', '1', '1', 'n', '3', '', '']
        ['wk1', 'openssl, "fast"', '2', '2', 'execution_time', '2.5', 's', '']
        ['wk1', 'openssl, "fast"', '2', '2', 'interrupts', '12', '', '']
        ['wk1', 'openssl, "fast"', '2', '2', 'interrupts', '34', '', '']
        ['wk1', 'openssl, "fast"', '2', '2', 'version', '1,2 "three"\r\nfour', '', '']
        ['wk1', 'openssl, "fast"', '2', '2', 'odd', 'nan', '', '']
        ['wk1', 'openssl, "fast"', '2', '2', 'odder', '-inf', '', '']
        ['', 'a "run", <with> & \'all\'\nof it \x01✓', '', '', 'duration', '12.25', 's', '']

        """#)
  }

  @Test(.enabled(if: hasTool("python3"), "needs python3"))
  func addsColumnsForClassifiers() throws {
    try run.attempt(0, 1, .ok, jobOutcome: .ok, metrics: Array(SampleRun.metrics(1).prefix(2)))
    _ = try CSVOutput.make(["extra_columns": ["section", "cpu", "none"]])
      .process(run: run.reader, to: run.path)
    #expect(
      rows() == #"""
        ['id', 'workload', 'iteration', 'attempt', 'metric', 'section', 'cpu', 'none', 'value', 'units', 'uncertainty']
        ['wk1', 'openssl, "fast"', '1', '1', 'execution_time', 's1', 'all', '', '1.0', 's', '']
        ['wk1', 'openssl, "fast"', '1', '1', 'interrupts', 's1', '0', '', '12', '', '']

        """#)
    _ = try CSVOutput.make(["use_all_classifiers": true]).process(run: run.reader, to: run.path)
    #expect(
      rows().hasPrefix(
        "['id', 'workload', 'iteration', 'attempt', 'metric', 'cpu', 'section', 'value', 'units', 'uncertainty']"
      ))
  }

  @Test func listsAllAttemptsWhenAsked() throws {
    try run.fill()
    _ = try CSVOutput.make(["attempts": "all"]).process(run: run.reader, to: run.path)
    let times = try #require(readText(file)).split(separator: "\r\n")
      .filter { $0.contains("execution_time") }
    #expect(
      times == [
        "wk1,\"openssl, \"\"fast\"\"\",1,1,execution_time,9.0,s,",
        "wk1,\"openssl, \"\"fast\"\"\",1,2,execution_time,1.5,s,",
        "wk1,\"openssl, \"\"fast\"\"\",2,2,execution_time,2.5,s,"
      ])
  }

  @Test func addsLinesWhileTheRunGoesOn() throws {
    let output = try CSVOutput.make()
    var sizes: [Int] = []
    for job in 0..<7 {
      try run.attempt(
        job, 1, .ok, jobOutcome: .ok, metrics: [Metric("m", .integer(Int64(job)))])
      try output.process(job: try #require(try run.reader.job(job)), in: run.reader, to: run.path)
      sizes.append(try #require(readText(file)).utf8.count)
    }
    #expect(zip(sizes, sizes.dropFirst()).allSatisfy { $0 < $1 })
    let appended = readText(file)
    _ = try output.process(run: run.reader, to: run.path)
    #expect(readText(file) == appended, "the last pass finds nothing to correct")
    #expect(appended?.split(separator: "\r\n").count == 8)
  }

  @Test func repairsWhatAKilledProcessLeft() throws {
    try run.attempt(0, 1, .ok, jobOutcome: .ok, metrics: [Metric("m", .integer(1))])
    writeText(file, "id,workload,iteration,attempt,metric,value,units,uncertainty\r\nwk1,\"open")
    try run.attempt(1, 1, .ok, jobOutcome: .ok, metrics: [Metric("m", .integer(2))])
    try CSVOutput.make().process(
      job: try #require(try run.reader.job(1)), in: run.reader, to: run.path)
    #expect(
      readText(file) == """
        id,workload,iteration,attempt,metric,value,units,uncertainty\r
        wk1,"openssl, ""fast""\",1,1,m,1,,\r
        wk2,idle,1,1,m,2,,\r

        """)
  }

  @Test func saysHowFarAValueCanBeTrusted() throws {
    try run.attempt(
      0, 1, .ok, jobOutcome: .ok,
      metrics: [Metric("energy", .number(12.5), unit: "J", uncertainty: 0.25)])
    _ = try CSVOutput.make().process(run: run.reader, to: run.path)
    #expect(readText(file)?.contains(",energy,12.5,J,0.25\r\n") == true)
  }

  @Test func refusesOptionsThatContradict() {
    let error = #expect(throws: PlainFailure.self) {
      try CSVOutput.make(["use_all_classifiers": true, "extra_columns": ["a"]])
    }
    #expect(error?.kind == .configuration)
  }
}
