import Glibc
import KelvinModel
import KelvinOutputs
import KelvinStore
import Testing

@Suite(.enabled(if: hasTool("tar") && hasTool("gzip"), "needs tar and gzip"))
struct ArchiveOutputTests {
  let directory = TemporaryDirectory()

  @Test(.timeLimit(.minutes(1)), arguments: ["run", "a, b&c\\d*[x] 'q'"])
  func packsARunThatGoesOn(name: String) throws {
    let run = try SampleRun(at: directory(name))
    try run.fill()
    mkdir(directory(name) + "/jobs", 0o777)
    writeText(directory(name) + "/jobs/run.db", "a file of a job")
    writeText(directory(name) + "/run.log", "log\n")
    for _ in 0..<2 {
      let artifacts = try ArchiveOutput.make().process(run: run.reader, to: run.path)
      #expect(artifacts.map(\.path) == [name + ".tar.gz"])
    }
    mkdir(directory("out"), 0o777)
    writeText(directory("name"), directory(name) + "/" + name + ".tar.gz")
    let result = shell(
      "cd \(directory("out")) && tar xzf \"$(cat \(directory("name")))\" && find . | sort")
    #expect(
      result.output == """
        .
        ./\(name)
        ./\(name)/jobs
        ./\(name)/jobs/run.db
        ./\(name)/run.db
        ./\(name)/run.log

        """)
    let reader = try RunReader(directory: directory("out/" + name))
    #expect(try reader.run() == run.reader.run())
    #expect(try reader.jobs() == run.reader.jobs())
    #expect(readText(directory("out/" + name + "/jobs/run.db")) == "a file of a job")
    // Nothing else was left in the run's directory.
    #expect(
      shell("ls -A \"$(dirname \"$(cat \(directory("name")))\")\" | grep -c part").output == "0\n")
  }

  @Test func saysWhyItFailed() throws {
    let run = try SampleRun(at: directory("run"))
    let error = #expect(throws: OutputFailure.self) {
      try ArchiveOutput.make().process(run: run.reader, to: directory("none"))
    }
    #expect(error?.message.contains(directory("none")) == true)
  }
}
