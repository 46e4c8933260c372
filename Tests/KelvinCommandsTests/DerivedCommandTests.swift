import KelvinConnections
import KelvinModel
import Testing

/// What can be done with a run afterwards.
@Suite struct DerivedCommandTests {
  private func finishedRun() async throws -> Scratch {
    let scratch = try Scratch()
    try scratch.write(
      "a.yaml",
      """
      config: {augmentations: ['~~', execution_time]}
      workloads:
        - {name: command, label: x, params: {argv: [echo, 'value 5'], metrics: {v: 'value (.*)'}}, iterations: 3}
      """)
    let ran = try await KelvinBinary.run(["run", "a.yaml", "-d", "runs/one"], in: scratch.path)
    #expect(ran.code == 0, "\(ran.both)")
    return scratch
  }

  @Test(.timeLimit(.minutes(1)))
  func outputsAreDerivedLater() async throws {
    let scratch = try await finishedRun()
    #expect(!scratch.exists("runs/one/results.csv"))
    let processed = try await KelvinBinary.run(
      ["process", "runs/one", "-p", "csv,json,junit,status"], in: scratch.path)
    #expect(processed.code == 0, "\(processed.both)")
    for file in ["results.csv", "results.json", "junit.xml", "status.txt"] {
      #expect(scratch.exists("runs/one/" + file))
    }
    let unknown = try await KelvinBinary.run(["process", "runs/one", "-p", "cvs"], in: scratch.path)
    #expect(unknown.code == 2)
    #expect(unknown.errors.contains("did you mean 'csv'?"))
    let badSetting = try await KelvinBinary.run(
      ["process", "runs/one", "-p", "csv", "--set", "csv.atempts=all"], in: scratch.path)
    #expect(badSetting.code == 2)
    #expect(badSetting.errors.contains("attempts"))
  }

  @Test(.timeLimit(.minutes(1)))
  func aRunIsShownListedAndPruned() async throws {
    let scratch = try await finishedRun()
    let shown = try await KelvinBinary.run(["show", "runs/one"], in: scratch.path)
    #expect(shown.output.contains("jobs 3: 3 ok"))
    let json = try await KelvinBinary.run(
      ["show", "runs/one", "--format", "json"], in: scratch.path)
    #expect(json.output.contains("\"format\":\"kelvin-results\""))
    let listed = try await KelvinBinary.run(["runs", "list"], in: scratch.path)
    #expect(listed.output.contains("runs/one"))
    #expect(listed.output.contains("3 ok"))
    let dry = try await KelvinBinary.run(
      ["runs", "prune", "--keep", "0", "--dry-run"], in: scratch.path)
    #expect(dry.output == "would remove runs/one\n")
    #expect(scratch.exists("runs/one/run.db"))
    let pruned = try await KelvinBinary.run(["runs", "prune", "--keep", "0"], in: scratch.path)
    #expect(pruned.output == "removed runs/one\n")
    #expect(!scratch.exists("runs/one"))
  }

  @Test(.timeLimit(.minutes(1)))
  func progressIsJSONWhenAskedFor() async throws {
    let scratch = try Scratch()
    try scratch.write("a.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    let ran = try await KelvinBinary.run(
      ["run", "a.yaml", "-d", "out", "--log-format", "json"], in: scratch.path)
    let lines = ran.errors.split(separator: "\n")
    #expect(lines.count > 5)
    try scratch.write("lines.json", ran.errors)
    let checked = try await LocalConnection().execute(
      Command([
        "python3", "-c",
        "import json,sys; print(sorted({json.loads(l)['event'] for l in open(sys.argv[1])}))",
        scratch.path + "/lines.json"
      ]), until: .after(seconds: 20))
    #expect(checked.standardOutput.text.contains("'run ended'"), "\(checked.standardError.text)")
    #expect(checked.standardOutput.text.contains("'attempt ended'"))
  }

  @Test(.timeLimit(.minutes(1)))
  func quietSaysNothing() async throws {
    let scratch = try Scratch()
    try scratch.write("a.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    let ran = try await KelvinBinary.run(["run", "a.yaml", "-d", "out", "-q"], in: scratch.path)
    #expect(ran.code == 0)
    #expect(ran.both.isEmpty, "\(ran.both)")
  }

  @Test(.timeLimit(.minutes(1)))
  func aDryRunTouchesNothing() async throws {
    let scratch = try Scratch()
    try scratch.write("a.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    let ran = try await KelvinBinary.run(["run", "a.yaml", "--dry-run"], in: scratch.path)
    #expect(ran.code == 0)
    #expect(ran.output.contains("wk1"))
    #expect(!scratch.exists("runs"))
  }
}
