import Glibc
import KelvinModel
import KelvinOutputs
import KelvinStore
import Testing

struct OutputsTests {
  let directory = TemporaryDirectory()

  @Test func declaresOutputsUnderDifferentNames() {
    let names = Outputs.all.map { $0.declaration.name }
    #expect(names == ["csv", "json", "junit", "status", "targz"])
    #expect(Outputs.all.allSatisfy { $0.declaration.kind == .output })
    #expect(Outputs.all.allSatisfy { !$0.declaration.summary.isEmpty })
  }

  @Test func keepsAFailureToTheOutputThatFailed() throws {
    let run = try SampleRun(at: directory("run"))
    try run.fill()
    // A directory where the file should be.
    mkdir(run.path + "/results.json", 0o777)
    let chain = OutputChain(
      [try JSONOutput.make(), try CSVOutput.make(), try StatusOutput.make()])
    let job = try #require(try run.reader.job(0))
    #expect(chain.process(job: job, in: run.reader, to: run.path).isEmpty)
    let (artifacts, problems) = chain.process(run: run.reader, to: run.path)
    #expect(artifacts.map(\.path) == ["results.csv", "status.txt"])
    #expect(problems.map(\.output) == ["json"])
    #expect(problems.first?.failure.message.contains(run.path + "/results.json") == true)
    #expect(problems.first?.failure.kind == .infrastructure)
    #expect(!shell("ls -A \(run.path)").output.contains(".part"), "no temporary file is left")
  }

  @Test(arguments: Outputs.all.map { $0.declaration.name })
  func namesTheDirectoryThatIsNotThere(name: String) throws {
    let run = try SampleRun(at: directory("run"))
    let type = try #require(Outputs.all.first { $0.declaration.name == name })
    let chain = OutputChain([try type.make()])
    let (artifacts, problems) = chain.process(run: run.reader, to: directory("none"))
    #expect(artifacts.isEmpty)
    #expect(problems.first?.failure.message.contains(directory("none")) == true)
  }

  /// Outputs read damaged stores as any other: files or a failure, never a trap.
  @Test(.enabled(if: hasTool("sqlite3"), "needs the sqlite3 shell"), .timeLimit(.minutes(5)))
  func survivesForeignValuesInEachColumn() throws {
    let run = try SampleRun(at: directory("run"))
    try run.fill()
    run.store.close()
    let database = run.path + "/run.db"
    #expect(shell("cp \(database) \(directory("intact"))").code == 0)
    let columns = shell(
      """
      sqlite3 \(database) "SELECT m.name || '.' || p.name || '.' || p.type FROM sqlite_master m, \
      pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' \
      AND m.name NOT LIKE 'grdb%'"
      """
    ).output.split(separator: "\n").map { $0.split(separator: ".") }
    #expect(columns.count > 70)
    let chain = OutputChain(
      try Outputs.all.dropLast().map { try $0.make() } + [
        try CSVOutput.make(["attempts": "all", "use_all_classifiers": true])
      ])
    var failures = 0
    for column in columns {
      let values =
        switch column[2] {
        case "INTEGER": ["-9223372036854775808", "9223372036854775807", "-1"]
        case "REAL": ["9e999"]
        case "BLOB": ["x'00'"]
        case "ANY": ["x'00'", "'text'"]
        default: ["''", "'{]'", "'[[[]]]'", "cast(x'ff00fe' as text)"]
        }
      for value in values {
        // Constraints may refuse the value: then nothing has changed.
        _ = shell(
          """
          cat \(directory("intact")) > \(database); sqlite3 \(database) "PRAGMA foreign_keys = OFF; \
          UPDATE OR IGNORE \(column[0]) SET \(column[1]) = \(value)" 2>/dev/null
          """)
        guard let reader = try? RunReader(directory: run.path) else { continue }
        let (_, problems) = chain.process(run: reader, to: run.path)
        failures += problems.count
        for problem in problems {
          #expect(problem.failure.message.contains("damaged"), "\(column): \(problem.failure)")
        }
      }
    }
    #expect(failures > 100)
  }

  /// Files keep their earlier content when a later pass fails.
  @Test func keepsTheOldFileWhenTheNewOneFails() throws {
    let run = try SampleRun(at: directory("run"))
    writeText(run.path + "/results.csv", "old")
    run.store.close()
    let reader = try RunReader(directory: run.path)
    guard
      shell(
        "sqlite3 \(run.path)/run.db \"UPDATE specs SET classifiers = '{'; INSERT INTO attempts (job, number, life, started_wall_ns) VALUES (0, 1, 1, 1); INSERT INTO metric_types VALUES (1, 'm', '', NULL, '{}', ''); INSERT INTO metrics VALUES (1, 0, 1, 1)\""
      ).code == 0
    else { return }
    #expect(throws: StoreFailure.self) {
      try CSVOutput.make().process(run: reader, to: run.path)
    }
    #expect(readText(run.path + "/results.csv") == "old")
  }
}
