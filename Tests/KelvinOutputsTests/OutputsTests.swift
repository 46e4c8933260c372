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

  /// Outputs read damaged and unfinished stores as any other: files or a failure, never a trap.
  @Test func survivesADamagedStore() throws {
    let run = try SampleRun(at: directory("run"))
    try run.fill()
    run.store.close()
    #expect(
      shell("sqlite3 \(run.path)/run.db \"UPDATE metrics SET value = x'00' WHERE attempt = 2\"")
        .code
        == 0 || !hasTool("sqlite3"))
    let chain = OutputChain(try Outputs.all.map { try $0.make() })
    let (artifacts, problems) = chain.process(
      run: try RunReader(directory: run.path), to: run.path)
    if hasTool("sqlite3") {
      #expect(problems.map(\.output) == ["csv", "json", "junit", "status"])
      #expect(problems.allSatisfy { $0.failure.message.contains("damaged") })
      #expect(artifacts.map(\.name) == ["targz"])
    }
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
