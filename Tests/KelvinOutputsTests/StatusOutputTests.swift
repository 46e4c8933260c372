import KelvinModel
import KelvinOutputs
import KelvinStore
import Testing

struct StatusOutputTests {
  let directory = TemporaryDirectory()

  @Test func saysHowEverythingWent() throws {
    let run = try SampleRun(at: directory("run"))
    try run.fill()
    _ = try StatusOutput.make().process(run: run.reader, to: run.path)
    let text = try #require(readText(run.path + "/status.txt"))
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(lines[0] == "run       a \"run\", <with> & 'all' of it \u{FFFD}✓")
    #expect(lines[3] == "created   2023-11-14T22:13:20.123Z")
    #expect(lines[4].hasPrefix("ended     20"))
    #expect(lines[5] == "state     ended: failed: workload (2 of 7 jobs)")
    #expect(
      lines[6] == "jobs      7: 1 ok, 1 partial, 2 failed, 1 aborted, 1 skipped, 1 not ended")
    #expect(lines[8] == "verdict                 attempts  job")
    #expect(lines[9] == "ok                             2  wk1 openssl, \"fast\", iteration 1")
    #expect(
      lines[10] == "partial                        1  wk2 idle, iteration 1: perf: unavailable")
    #expect(lines[15] == "not ended                      0  wk2 idle, iteration 4")
    #expect(text.contains("execution_time"))
  }

  @Test func pointsOutARunThatWasCutOff() throws {
    let run = try SampleRun(at: directory("run"))
    try run.store.setRunState(.running, outcome: nil)
    _ = try StatusOutput.make().process(run: run.reader, to: run.path)
    #expect(
      readText(run.path + "/status.txt")?
        .contains("state     running, cut off; 'kelvin resume' continues it\n") == true)
  }
}
