import Glibc
import KelvinModel
import Testing

@testable import KelvinStore

/// Every schema that was released stays readable: Fixtures/vN.sql holds a run of each, as SQL.
///
/// After a new migration, `KELVIN_WRITE_FIXTURE=1 swift test --filter SchemaTests` adds the dump of
/// the new schema; dumps of released schemas are never written again.
@Suite(.enabled(if: hasTool("sqlite3"), "needs the sqlite3 shell"))
struct SchemaTests {
  let directory = TemporaryDirectory()

  static let fixtures: String = {
    let file = #filePath
    return file[..<(file.lastIndex(of: "/") ?? file.endIndex)] + "/Fixtures"
  }()

  static let versions = Array(1...Schema.version)

  /// Known to the schema from version 2 on.
  private static let benchFiles = ["/lab/bench.yaml", "/lab/bench.d/more.yaml"]

  /// Known from version 5 on.
  private static let meter = MeterIdentity(name: "chip", driver: "hwmon", location: "hwmon0")
  private static let channel = Channel(
    name: "temp", unit: "degC", scale: 0.001, site: "die", kind: .temperature, range: -40...125,
    accuracy: Accuracy(gain: 0, offset: 2, source: "data sheet"), averagingTime: 0.25)
  private static let captureEvent = CaptureEvent(
    .repeats, channel: 0, from: 10, to: 20, count: 1, note: "same conversion")

  private static func makeSample(at path: String) throws {
    let plan = Plan(
      settings: PlanRowsTests.settings, specs: [PlanRowsTests.spec],
      jobs: [PlannedJob(spec: 0, iteration: 1), PlannedJob(spec: 0, iteration: 2)])
    let store = try RunStore.create(
      at: path, run: makeRun(benchFiles: benchFiles), plan: plan, life: deadLife)
    try store.setRunState(.running, outcome: nil)
    let failed = try store.beginAttempt(job: 0, number: 1, startedWallNanoseconds: 5)
    try store.recordProcess(attempt: failed, processID: 77, startTicks: 88)
    let failure = Outcome(.failed(.workload), "exit code 1")
    try store.finishAttempt(failed, AttemptResult(failure), jobOutcome: nil)
    var result = makeResult()
    result.changes = ["argv": ["nice", "true"]]
    result.artifacts = [Artifact(name: "stdout", path: "jobs/1/stdout", kind: .log)]
    result.events = [
      EventRecord(.warning, source: "s", "m", time: MonotonicTime(nanoseconds: 9))
    ]
    result.metrics += [
      Metric(
        "interrupts", .integer(12), uncertainty: 0.5, classifiers: ["cpu": "3"],
        source: "interrupts"),
      Metric("version", .text("1.2"), source: "workload")
    ]
    let attempt = try store.beginAttempt(job: 0, number: 2, startedWallNanoseconds: 6)
    let capture = try store.beginCapture(
      attempt: attempt, source: "poller",
      channels: [channel], meter: meter)
    try store.append(
      capture: capture,
      blocks: [SampleBlock(channel: 0, times: [10, 20, 31], codes: [40_000, 40_500, 39_000])],
      events: [captureEvent])
    try store.setClock(capture: capture, fit: .host)
    try store.endCapture(capture, summary: ["ticks": 3])
    try store.finishAttempt(attempt, result, jobOutcome: .ok)
    try store.finishJobs([(1, Outcome(.skipped, "SIGINT"))])
    try store.add(
      runArtifacts: [Artifact(name: "csv", path: "results.csv", kind: .export)],
      runMetrics: [Metric("duration", .number(1.5), unit: "s", uncertainty: 0.25)])
    try store.setRunState(.ended, outcome: Outcome(.aborted, "SIGINT"))
    store.close()
  }

  private static func expectSample(
    at path: String, version: Int64 = Schema.version, isFixture: Bool = false
  ) throws {
    let reader = try RunReader(directory: path)
    let info = try reader.run()
    #expect(info.record == makeRun(benchFiles: version < 2 ? [] : benchFiles))
    #expect(info.state == .ended)
    #expect(info.outcome == Outcome(.aborted, "SIGINT"))
    #expect(info.lives.map(\.record) == [deadLife])
    // The dumps before version 5 were made before these were known.
    var settings = PlanRowsTests.settings
    if isFixture, version < 5 { (settings.quarantine, settings.healthCheck) = (.standard, nil) }
    #expect(try reader.plan().settings == settings)
    // Links are known from version 3 on.
    var spec = PlanRowsTests.spec
    if version < 3 { spec.detached = nil }
    // Images are known from version 4 on.
    if version < 4 { spec.deployment = nil }
    #expect(try reader.specs() == [spec])
    let jobs = try reader.jobs()
    #expect(jobs.map(\.outcome) == [.ok, Outcome(.skipped, "SIGINT")])
    let attempts = try reader.attempts(ofJob: 0)
    #expect(attempts.map(\.outcome) == [Outcome(.failed(.workload), "exit code 1"), .ok])
    #expect(attempts.map(\.processID) == [77, nil])
    let last = try #require(attempts.last)
    #expect(last.stages == makeResult().stages)
    #expect(last.overhead == makeResult().overhead)
    #expect(last.changes == ["argv": ["nice", "true"]])
    #expect(
      try reader.fingerprint(try #require(last.fingerprint)) == makeResult().fingerprint)
    let metrics = try reader.metrics(ofAttempt: last.id)
    #expect(metrics.first == makeResult().metrics.first)
    #expect(metrics.map(\.value) == [.number(0.00123), .integer(12), .text("1.2")])
    #expect(metrics[1].classifiers == ["cpu": "3"])
    // Uncertainties are known from version 6 on.
    #expect(metrics.map(\.uncertainty) == [nil, version < 6 ? nil : 0.5, nil])
    #expect(try reader.runMetrics().map(\.uncertainty) == [version < 6 ? nil : 0.25])
    #expect(try reader.artifacts(ofAttempt: last.id).map(\.path) == ["jobs/1/stdout"])
    #expect(try reader.artifacts(ofAttempt: nil).map(\.path) == ["results.csv"])
    #expect(try reader.events(ofAttempt: last.id).map(\.message) == ["m"])
    #expect(try reader.runMetrics().map(\.value) == [.number(1.5)])
    let capture = try #require(try reader.captures(ofAttempt: last.id).first)
    // Meters and what is known of channels besides their unit came with version 5.
    var channel = channel
    if version < 5 { channel = Channel(name: "temp", unit: "degC", scale: 0.001) }
    #expect(capture.channels == [channel])
    #expect(capture.meter == (version < 5 ? nil : meter))
    #expect(capture.clock == (version < 5 ? nil : .host))
    #expect(try reader.events(ofCapture: capture.id) == (version < 5 ? [] : [captureEvent]))
    #expect(
      try reader.blocks(ofCapture: capture.id, channel: 0)
        == [SampleBlock(channel: 0, times: [10, 20, 31], codes: [40_000, 40_500, 39_000])])
  }

  @Test(arguments: versions) func readsEachReleasedSchema(version: Int64) throws {
    let path = directory("run")
    mkdir(path, 0o777)
    let loaded = shell("sqlite3 \(path)/run.db < \(Self.fixtures)/v\(version).sql")
    #expect(loaded.code == 0 && loaded.output == "")
    try Self.expectSample(at: path, version: version, isFixture: true)
    // A resume brings it to the present schema.
    try RunStore.resume(at: path, life: deadLife).close()
    #expect(
      shell("sqlite3 \(path)/run.db 'PRAGMA user_version; PRAGMA integrity_check'").output
        == "\(Schema.version)\nok\n")
    #expect(try RunReader(directory: path).run().lives.count == 2)
  }

  @Test func hasTheSchemaThatWasReleased() throws {
    let path = directory("run")
    try Self.makeSample(at: path)
    try Self.expectSample(at: path)
    let database = path + "/run.db"
    let file = "\(Self.fixtures)/v\(Schema.version).sql"
    if getenv("KELVIN_WRITE_FIXTURE") != nil {
      let pragmas =
        "PRAGMA application_id = \(Schema.applicationID);\n"
        + "PRAGMA user_version = \(Schema.version);\n"
      writeFile(file, Array((pragmas + shell("sqlite3 \(database) .dump").output).utf8))
    }
    let fixture = directory("fixture.db")
    #expect(shell("sqlite3 \(fixture) < \(file)").code == 0)
    let schema = "'SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY type, name'"
    #expect(
      shell("sqlite3 \(fixture) \(schema)").output == shell("sqlite3 \(database) \(schema)").output,
      "a released schema must not change: add a migration")
  }

  @Test func isRecognizedByItsHeader() throws {
    let path = directory("run")
    try Self.makeSample(at: path)
    // Bytes 68 to 71 of the header, big-endian: what file(1) reads.
    #expect(Array(try #require(readFile(path + "/run.db"))[68..<72]) == Array("Klvn".utf8))
  }

  /// The queries that docs/run-database.md shows work, and give what it says.
  @Test func answersTheQueriesOfTheDocumentation() throws {
    let path = directory("run")
    try Self.makeSample(at: path)
    let file = Self.fixtures + "/../../../docs/run-database.md"
    let text = String(decoding: try #require(readFile(file)), as: UTF8.self)
    let blocks = text.split(separator: "```sql\n").dropFirst().map { block in
      String(block.prefix(upTo: block.firstRange(of: "```")?.lowerBound ?? block.endIndex))
    }
    #expect(blocks.count >= 5)
    for sql in blocks {
      writeFile(directory("query.sql"), Array(sql.utf8))
      let result = shell("sqlite3 -bail \(path)/run.db < \(directory("query.sql")) 2>&1")
      #expect(result.code == 0, "\(sql)\n\(result.output)")
      #expect(!result.output.isEmpty, "\(sql)")
    }
  }

  /// The Python of the documentation reads samples without any of our code.
  @Test(.enabled(if: hasTool("python3"), "needs python3"))
  func isReadByTheDocumentationsPython() throws {
    let path = directory("run")
    try Self.makeSample(at: path)
    let file = Self.fixtures + "/../../../docs/run-database.md"
    let text = String(decoding: try #require(readFile(file)), as: UTF8.self)
    let start = try #require(text.firstRange(of: "```python\n")).upperBound
    let end = try #require(text[start...].firstRange(of: "```")).lowerBound
    let script = text[start..<end] + "print(list(samples('\(path)/run.db', 1, 0)))\n"
    writeFile(directory("samples.py"), Array(script.utf8))
    #expect(
      shell("python3 \(directory("samples.py"))").output
        == "[(10, 40000), (20, 40500), (31, 39000)]\n")
    // Times of both kinds, values of several widths, more than a block.
    let run = try CaptureRun(channels: [
      Channel(name: "a", unit: ""), Channel(name: "b", unit: "")
    ])
    let codes = (0..<Int64(9000)).map { ($0 * $0 * $0) % 70_001 - ($0 > 8500 ? $0 << 40 : 0) }
    let regular = SampleTimes.regular(first: -77, step: 1234.56, count: 9000)
    let each = (0..<Int64(9000)).map { $0 * 1000 - $0 * $0 % 977 }
    try run.append(
      SampleBlock(channel: 0, times: each, codes: codes),
      SampleBlock(channel: 1, times: regular, codes: codes))
    for (channel, times) in [each, regular.array].enumerated() {
      let check =
        "for time, code in samples('\(run.path)/run.db', 1, \(channel)): print(time, code)\n"
      writeFile(directory("samples.py"), Array((text[start..<end] + check).utf8))
      let expected = zip(times, codes).map { "\($0) \($1)\n" }.joined()
      #expect(shell("python3 \(directory("samples.py"))").output == expected)
    }
  }

  /// Each table and column of the schema is described, and nothing that does not exist is.
  @Test func isDocumentedCompletely() throws {
    let path = directory("run")
    try Self.makeSample(at: path)
    let file = Self.fixtures + "/../../../docs/run-database.md"
    let text = String(decoding: try #require(readFile(file)), as: UTF8.self)
    let columns = shell(
      """
      sqlite3 \(path)/run.db "SELECT m.name || '.' || p.name FROM sqlite_master m, \
      pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' \
      AND m.name NOT LIKE 'grdb%'"
      """
    ).output.split(separator: "\n")
    var documented: Set<String> = []
    var table = ""
    for line in text.split(separator: "\n") {
      if line.hasPrefix("### ") {
        table = String(line.dropFirst(4).prefix { $0 != " " })
      } else if line.hasPrefix("| `"), let end = line.dropFirst(3).firstIndex(of: "`") {
        documented.insert("\(table).\(line.dropFirst(3)[..<end])")
      }
    }
    #expect(documented == Set(columns.map(String.init)))
  }
}
