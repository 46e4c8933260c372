import Glibc
import KelvinConnections
import KelvinModel
import Testing

@testable import KelvinCommands
@testable import KelvinStore

/// `kelvin bench health`: a board's history, from real runs and as it is shown.
@Suite(.timeLimit(.minutes(2)))
struct HealthCommandTests {
  let scratch: Scratch

  init() throws {
    scratch = try Scratch()
    try #require(symlink("/", scratch.path + "/root") == 0)
    try scratch.write(
      "bench.yaml",
      """
      boards:
        one:
          profile: generic-linux
          connection: {local: {root: \(scratch.path)/root}}
      """)
  }

  private func run(_ arguments: String...) async throws -> Ran {
    try await KelvinBinary.run(
      arguments, in: scratch.path, environment: ["KELVIN_USER": "anna"])
  }

  @Test func runsOnABoardAreInItsHistory() async throws {
    try scratch.write(
      "b.yaml",
      """
      config: {iterations: 3}
      workloads:
        - {name: command, params: {argv: ['true']}}
        - {name: command, params: {argv: ['false']}}
      """)
    let ran = try await run("run", "b.yaml", "-d", "out", "--board", "one", "-q")
    #expect(ran.code == 1, "\(ran.both)")
    let table = try await run("bench", "health")
    let lines = table.output.split(separator: "\n").map { $0.split(separator: " ") }
    #expect(lines.first?.prefix(5) == ["NAME", "STATE", "JOBS", "ATTEMPTS", "OK"])
    #expect(lines.count == 2, "\(table.both)")
    #expect(lines.last?.prefix(3) == ["one", "free", "6"], "\(table.output)")
    let detail = try await run("bench", "health", "one").output
    #expect(detail.contains("  jobs      6 since "), "\(detail)")
    #expect(detail.contains(" 3 ok"), "\(detail)")
    #expect(detail.contains(" failed: workload"), "\(detail)")
    #expect(detail.contains("  flaky     0 % (0 to 39 %), 0 job(s)"), "\(detail)")
    let json = try await run("bench", "health", "one", "--format", "json").output
    let history = try #require(Value(json: json)?.list?.first?.map?["history"]?.map)
    #expect(history["jobs"]?.integer == 6)
    #expect(history["flaky"]?.map?["share"]?.number == 0)
    #expect(history["time_to_recover"] == .null)
  }

  /// What cannot be there, or cannot be started, fails as often as it is tried; the board is well.
  @Test(arguments: ["/no/such/program", "garbage"])
  func aProgramThatIsNotThereQuarantinesNoBoard(program: String) async throws {
    try scratch.write("garbage", "\u{7f}ELF garbage")
    try #require(chmod(scratch.path + "/garbage", 0o755) == 0)
    let path = program.hasPrefix("/") ? program : scratch.path + "/" + program
    try scratch.write(
      "b.yaml",
      """
      config: {iterations: 4, max_retries: 1, bail_on_init_failure: false}
      workloads: [{name: command, params: {argv: [\(path)]}}]
      """)
    let ran = try await run("run", "b.yaml", "-d", "out", "--board", "one", "-q")
    #expect(ran.code == 1, "\(ran.both)")
    let table = try await run("bench", "health").output
    #expect(table.contains("one   free"), "\(table)")
    #expect(!table.contains("quarantined"), "\(table)")
    #expect(try await run("run", "b.yaml", "-d", "again", "--board", "one", "-q").code == 1)
  }

  /// The rule reaches over runs, the run tells why it ends, and the board is out until it is put back.
  @Test func aBoardThatFailsTooOftenIsTakenOut() async throws {
    // Its first start leaves a link to itself: what cannot be followed is the board's trouble.
    func writeProgram() throws {
      unlink(scratch.path + "/program")
      try scratch.write(
        "program", "#!/bin/sh\ncd \(scratch.path) && rm program && ln -s program program\n")
      try #require(chmod(scratch.path + "/program", 0o755) == 0)
    }
    try writeProgram()
    try scratch.write(
      "b.yaml",
      """
      config: {iterations: 4, max_retries: 0}
      workloads: [{name: command, params: {argv: [\(scratch.path)/program]}}]
      """)
    #expect(try await run("run", "b.yaml", "-d", "out", "--board", "one", "-q").code == 1)
    #expect(try await run("bench", "health").output.contains("one   free"))
    try writeProgram()
    let ran = try await run("run", "b.yaml", "-d", "again", "--board", "one")
    #expect(ran.code == 1, "\(ran.both)")
    #expect(
      ran.errors.contains("1 job(s) skipped: one is quarantined: 5 of its last 7"), "\(ran.both)")
    #expect(ran.errors.contains("kelvin bench enable one"), "\(ran.errors)")
    let health = try await run("bench", "health", "one").output
    #expect(health.hasPrefix("board one: quarantined\n"), "\(health)")
    #expect(health.contains("  reason    5 of its last 7 attempts failed"), "\(health)")
    #expect(health.contains("job 3: "), "\(health)")
    #expect(try await run("resume", "again", "-q").code == 3)
    #expect(try await run("bench", "enable", "one").code == 0)
    try writeProgram()
    // What failed before it was put back does not count again.
    let resumed = try await run("resume", "again", "-q")
    #expect([0, 1].contains(resumed.code), "\(resumed.both)")
    let after = try await run("bench", "health").output
    #expect(after.contains("one   free      8 "), "\(after)")
  }

  /// What fails is counted and shown, and takes no board out.
  @Test func withoutARuleNoFailureTakesABoardOut() async throws {
    // Its first start leaves a link to itself: what cannot be followed is the board's trouble.
    func write(_ settings: String) throws {
      unlink(scratch.path + "/program")
      try scratch.write(
        "program", "#!/bin/sh\ncd \(scratch.path) && rm program && ln -s program program\n")
      try #require(chmod(scratch.path + "/program", 0o755) == 0)
      try scratch.write(
        "b.yaml",
        """
        config: {max_retries: 0, \(settings)}
        workloads: [{name: command, params: {argv: [\(scratch.path)/program]}}]
        """)
    }
    try write("iterations: 7, quarantine: off")
    let ran = try await run("run", "b.yaml", "-d", "out", "--board", "one")
    #expect(ran.code == 1 && !ran.errors.contains("skipped"), "\(ran.both)")
    let health = try await run("bench", "health", "one").output
    #expect(health.hasPrefix("board one: free\n"), "\(health)")
    #expect(health.contains(" 6 failed: "), "\(health)")
    // For a run that has the rule what failed in that one counts, too.
    try write("iterations: 3")
    let strict = try await run("run", "b.yaml", "-d", "strict", "--board", "one")
    #expect(strict.errors.contains("1 job(s) skipped: one is quarantined: "), "\(strict.both)")
  }

  /// What the board had not finished is another's, which is taken only then; the verdict is of all jobs.
  @Test func theRunGoesOnWithTheNextBoard() async throws {
    // Its first start leaves a link to itself.
    let program = scratch.path + "/program"
    try scratch.write(
      "program", "#!/bin/sh\ncd \(scratch.path) && rm program && ln -s program program\n")
    try #require(chmod(program, 0o755) == 0)
    try #require(symlink("/", scratch.path + "/root2") == 0)
    try scratch.write(
      "bench.yaml",
      try scratch.read("bench.yaml") + """

          two:
            profile: generic-linux
            connection: {local: {root: \(scratch.path)/root2}}
            lease: {acquire: [ln, -sf, /bin/true, \(program)], release: ['true']}
        """)
    try scratch.write(
      "b.yaml",
      """
      config: {iterations: 8, max_retries: 0, augmentations: [csv]}
      workloads: [{name: command, params: {argv: [\(program)]}}]
      """)
    let ran = try await run("run", "b.yaml", "-d", "out", "--board", "one", "--board", "two")
    #expect(ran.code == 1, "\(ran.both)")
    #expect(ran.errors.contains("one is quarantined: 5 of its last 6"), "\(ran.errors)")
    #expect(ran.errors.contains("the run goes on with two"), "\(ran.errors)")
    let reader = try RunReader(directory: scratch.path + "/out")
    #expect(try reader.run().record.board == "two")
    let outcomes = try reader.jobs().compactMap(\.outcome?.verdict.text)
    let expected = ["ok"] + [String](repeating: "failed: target", count: 5) + ["ok", "ok"]
    #expect(outcomes == expected, "\(ran.both)")
    #expect(try reader.run().outcome?.reason == "5 failed of 8 job(s)")
    let boards = try (0..<8).flatMap { job in try reader.attempts(ofJob: job) }.map { attempt in
      try attempt.fingerprint.flatMap { try reader.fingerprint($0)["board"] }
    }
    #expect(boards == [String](repeating: "one", count: 6) + ["two", "two"])
    // One that cannot be had is passed over, and without another one nothing is begun.
    let again = try await run("run", "b.yaml", "-d", "again", "--board", "one", "--board", "two")
    #expect(again.code == 0, "\(again.both)")
    #expect(again.errors.contains("board 'one': quarantined"), "\(again.errors)")
    let twice = try await run("run", "b.yaml", "-d", "no", "--board", "two", "--board", "two")
    #expect(twice.code == 2 && twice.errors.contains("--board two: named twice"))
    #expect(!scratch.exists("no"))
  }

  /// This machine is not judged.
  @Test func aRunOnThisMachineLeavesNoHistory() async throws {
    try scratch.write("b.yaml", "workloads: [{name: command, params: {argv: ['false']}}]\n")
    #expect(try await run("run", "b.yaml", "-d", "out", "-q").code == 1)
    #expect(!(try await run("bench", "health", "local").output.contains("  jobs ")))
  }

  // MARK: As it is shown

  private func report() -> HealthReport {
    var history = BoardHistory(sinceWallNanoseconds: 1_700_000_000_000_000_000)
    history.attempts = [.ok: 18, .failed(.target): 2, .failed(.infrastructure): 1]
    history.jobs = 20
    history.flakyJobs = 3
    history.recoveries = [
      "reset": .init(count: 2, seconds: 20, range: 8...12),
      "lost": .init(count: 1, seconds: 300, range: 300...300)
    ]
    history.lastTrouble = .init(
      wallNanoseconds: 1_700_000_000_000_000_000, run: "r1", text: "silent\u{1b}[2J for 5 s")
    (history.checks.passed, history.checks.failed) = (7, 1)
    history.lastCheck = HealthCheckRecord(
      run: "r1", workload: "probe", cause: "after reset", problem: "wrong sum", seconds: 0.5,
      endedWallNanoseconds: 1_700_000_000_000_000_000)
    history.lastRecoveries = [
      RecoveryRecord(
        run: "r1", finding: "silent for 5 s",
        steps: [
          .init("reconnect", seconds: 10, problem: "no answer"), .init("reset", seconds: 2)
        ], isBack: true, seconds: 12, endedWallNanoseconds: 1_700_000_000_000_000_000)
    ]
    return HealthReport(
      status: ResourceStatus(
        resource: BenchResource(.board, "rock", bench: "/lab/bench.yaml"), state: .free),
      history: history, events: [])
  }

  @Test func aTableHasALineForEachBoard() {
    var untouched = report()
    untouched.history = nil
    let lines = HealthText.table([report(), untouched]).lines
    #expect(lines.count == 3)
    #expect(lines[1].contains("2/3  10 s"), "\(lines[1])")
    #expect(lines[1].contains("15 % (5.2 to 36 %)"), "\(lines[1])")
    #expect(!lines[1].contains("\u{1b}"))
    #expect(
      lines[2].split(separator: " ") == ["rock", "free"] + [Substring](repeating: "-", count: 9))
  }

  @Test func oneBoardIsShownInFull() {
    let text = HealthText.text(report())
    for part in [
      "attempts: 1 failed: infrastructure, 2 failed: target, 18 ok",
      "  flaky     15 % (5.2 to 36 %), 3 job(s)\n",
      "  recovered in 10 s on average, 8 s to 12 s\n", "2 by reset, 10 s on average\n",
      "1 lost, given up after 300 s on average\n",
      "run r1: silent for 5 s: reset after 12 s\n", "reconnect, 10 s: no answer\n",
      "reset, 2 s: the board is back\n", "7 passed, 1 failed; the last",
      "run r1, after reset ('probe', 0.5 s): wrong sum\n"
    ] {
      #expect(text.contains(part), "\(part) is missing in\n\(text)")
    }
    #expect(!text.contains("\u{1b}"))
  }
}
