import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import KelvinSystem
import Testing

@testable import KelvinExecution

/// Waits before jobs, on recorded boards that change while they are waited for.
@Suite(.timeLimit(.minutes(1))) struct DelayTests {
  private static let hot: Value = ["temperature": [["at_most": 45]]]

  @Test func theWindowBeginsWhenTheBoardIsCool() async throws {
    let board = try DelayBoard()
    var bench = board.bench(["wait_for": Self.hot, "cooling": board.cooling()])
    let thread = try board.whenCooled {
      do {
        try board.change(DelayBoard.zone, to: ["50000\n", "44900\n"]).join()
      } catch {
        Issue.record(error)
      }
    }
    bench.during = { _ in
      let temperature = try HostFile.read(board.tree.root + DelayBoard.zone)
      #expect(temperature == Array("44900\n".utf8))
    }
    let job = try #require(try await bench.run([Delay.self]).jobs.first)
    thread.join()
    #expect(job.outcome == .ok)
    let waited = try job.value("delay_waited", ["before": "start"])
    #expect(waited > 0.1 && waited < 5, "\(waited)")
    #expect(try job.value("delay_temperature", ["subject": "cpu-thermal"]) == 44.9)
    let text = job.messages(.info).joined(separator: "\n")
    #expect(text.contains("58.2 degC -> 44.9 degC (wanted at most 45.0 degC)"), "\(text)")
    // The wait is no cost of Kelvin's.
    let overhead = try #require(job.attempt.overhead)
    #expect(Double(overhead.beforeWindow) / 1e9 < waited)
  }

  /// What is waited for is not there, and is told; the rule says what becomes of the job.
  @Test(arguments: ["fail", "flag", "warn", nil])
  func theRuleDecidesWhatComesTooLate(rule: String?) async throws {
    let board = try DelayBoard()
    var wait: [String: Value] = ["wait_for": Self.hot, "timeout": 0.1, "cooling": board.cooling()]
    if let rule { wait["on_timeout"] = .text(rule) }
    var bench = board.bench(wait)
    let hasRun = BoardConfined(false)
    bench.during = { _ in hasRun.value = true }
    let job = try #require(try await bench.run([Delay.self]).jobs.first)
    let text = "not within 0.1 s: cpu-thermal is at 58.2 degC, wanted at most 45.0 degC"
    #expect(hasRun.value == (rule != "fail"))
    switch rule {
    case "fail":
      #expect(job.outcome.verdict == .failed(.target))
      #expect(job.outcome.reason.contains(text), "\(job.outcome)")
    case "warn":
      #expect(job.outcome == .ok)
      #expect(job.messages(.warning).contains { $0.contains(text) })
    default:
      #expect(job.outcome.verdict == .partial)
      #expect(job.outcome.reason.contains(text), "\(job.outcome)")
    }
    #expect(board.cooled == "on off")
    #expect(try job.value("delay_temperature") == 58.2)
  }

  @Test func aBoardThatIsCoolAlreadyIsNotCooled() async throws {
    let board = try DelayBoard([DelayBoard.zone: "40000\n"])
    let bench = board.bench(["wait_for": Self.hot, "cooling": board.cooling()])
    let job = try #require(try await bench.run([Delay.self]).jobs.first)
    #expect(job.outcome == .ok)
    #expect(board.cooled == "")
    #expect(try job.value("delay_waited") < 1)
  }

  @Test func stoppingTheRunEndsTheWaitAndTheCooling() async throws {
    let board = try DelayBoard()
    var bench = board.bench(["wait_for": Self.hot, "timeout": 60, "cooling": board.cooling()])
    let hasRun = BoardConfined(false)
    bench.during = { _ in hasRun.value = true }
    let thread = try board.whenCooled { [stop = bench.stop] in stop.raise() }
    let begin = MonotonicTime.now
    let job = try #require(try await bench.run([Delay.self]).jobs.first)
    thread.join()
    #expect(job.outcome.verdict == .aborted)
    #expect(board.cooled == "on off")
    #expect(!hasRun.value)
    #expect(MonotonicTime.now - begin < 20_000_000_000)
  }

  @Test func losingTheLinkEndsTheWaitAndTheCooling() async throws {
    let board = try DelayBoard()
    let connection = FaultyConnection(base: LocalConnection(root: board.tree.root))
    let bench = board.bench(
      ["wait_for": Self.hot, "timeout": 60, "cooling": board.cooling()], connection)
    let thread = try board.whenCooled { connection.isLost.value = true }
    let job = try #require(try await bench.run([Delay.self]).jobs.first)
    thread.join()
    #expect(job.outcome.verdict != .ok, "\(job.outcome)")
    #expect(job.messages(.error).contains { $0.contains("the link is gone") })
    #expect(board.cooled == "on off")
  }

  @Test func coolingThatCannotBeStoppedIsTold() async throws {
    let board = try DelayBoard()
    let start = "echo 44000 > \(board.tree.root)\(DelayBoard.zone); exit 1"
    let bench = board.bench([
      "wait_for": Self.hot,
      "cooling": [
        "start": ["sh", "-c", .text(start)], "stop": ["sh", "-c", "echo stuck >&2; exit 3"]
      ]
    ])
    let job = try #require(try await bench.run([Delay.self]).jobs.first)
    #expect(job.outcome.verdict == .partial)
    #expect(job.outcome.reason.contains("may still be on"), "\(job.outcome)")
    #expect(job.outcome.reason.contains("stuck"), "\(job.outcome)")
    #expect(job.messages(.warning).contains { $0.contains("exit 1' exited with 1") })
  }

  /// What is waited for before the window is not taken from the workload's time.
  @Test func aWaitMayBeLongerThanTheWorkload() async throws {
    let board = try DelayBoard()
    var bench = board.bench(["fixed_before_start": 1])
    bench.runTimeout = 0.8
    bench.argv = ["sleep", "0.1"]
    let job = try #require(try await bench.run([Delay.self]).jobs.first)
    #expect(job.outcome == .ok, "\(job.outcome)")
    #expect(try job.value("delay_waited") >= 1)
  }

  @Test func specsAndJobsHaveWaitsOfTheirOwn() async throws {
    let board = try DelayBoard()
    var bench = board.bench(["fixed_between_specs": 0.05, "fixed_between_jobs": 0.02])
    bench.specs = 2
    bench.iterations = 2
    let jobs = try await bench.run([Delay.self]).jobs
    #expect(
      jobs.flatMap(\.metrics).filter { $0.name == "delay_waited" }
        .map { $0.classifiers["before"] } == ["spec", "job", "spec", "job"])
  }

  /// Workload Automation's temperatures are what its file holds; 0 is what it held at first.
  @Test(arguments: [(45.0, 44_000), (0, 57_000)])
  func workloadAutomationsTemperaturesAreTheFiles(limit: Double, cool: Int) async throws {
    let file = DelayPlan.temperatureFile
    let board = try DelayBoard([file: "58200\n"])
    var bench = board.bench([
      "temperature_between_jobs": .number(limit), "active_cooling": true,
      "cooling": board.cooling(file, to: cool)
    ])
    bench.iterations = 2
    // The first job heats it.
    bench.during = { _ in try board.tree.write([file: "70000\n"]) }
    let record = try await bench.run([Delay.self])
    #expect(record.jobs.map(\.outcome) == [.ok, .ok])
    #expect(try record.jobs[1].value("delay_temperature", ["before": "job"]) < 58)
    #expect(record.jobs[1].messages(.info).contains { $0.contains("70.0 degC ->") })
  }

  @Test func aSlopeNearZeroIsWaitedFor() async throws {
    let board = try DelayBoard()
    let thread = try board.change(
      DelayBoard.zone, to: (1...8).map { "\(58_200 - $0 * 500)\n" }, every: 60)
    let bench = board.bench([
      "wait_for": ["temperature": [["max_slope": 1, "window": 0.4]]]
    ])
    defer {
      board.isOver.value = true
      thread.join()
    }
    let job = try #require(try await bench.run([Delay.self]).jobs.first)
    #expect(job.outcome == .ok)
    #expect(try job.value("delay_temperature") == 54.2)
    #expect(try job.value("delay_waited") >= 0.4)
    #expect(job.messages(.info).contains { $0.contains(#/54\.2 degC, [-+]?[01]\.\d K/min/#) })
  }

  @Test func idleCPUsAreWaitedFor() async throws {
    func stat(_ user: Int, _ idle: Int) -> String { "cpu \(user) 0 0 \(idle) 0 0 0 0\n" }
    let board = try DelayBoard(["/proc/stat": stat(100, 100)])
    let thread = try board.change(
      "/proc/stat",
      to: (1...5).map { stat(100 + $0 * 10, 100) } + (1...600).map { stat(150, 100 + $0 * 10) })
    let bench = board.bench(["wait_for": ["cpu_idle": ["at_least": 0.95, "window": 0.3]]])
    defer {
      board.isOver.value = true
      thread.join()
    }
    let job = try #require(try await bench.run([Delay.self]).jobs.first)
    #expect(job.outcome == .ok)
    #expect(try job.value("delay_cpu_idle") >= 95)
    #expect(try job.value("delay_waited") >= 0.3)
  }

  @Test func aBatteryBetweenLimitsIsWaitedFor() async throws {
    let supplies = "/sys/class/power_supply"
    let board = try DelayBoard([
      "\(supplies)/AC/type": "Mains\n", "\(supplies)/BAT0/type": "Battery\n",
      "\(supplies)/BAT0/capacity": "85\n", "\(supplies)/mouse/type": "Battery\n",
      "\(supplies)/mouse/scope": "Device\n", "\(supplies)/mouse/capacity": "60\n"
    ])
    let thread = try board.change("\(supplies)/BAT0/capacity", to: ["82\n", "79\n"])
    let bench = board.bench(["wait_for": ["battery": ["at_least": 0.4, "at_most": 0.8]]])
    defer {
      board.isOver.value = true
      thread.join()
    }
    let job = try #require(try await bench.run([Delay.self]).jobs.first)
    #expect(job.outcome == .ok)
    #expect(try job.value("delay_battery", ["subject": "BAT0"]) == 79)
  }

  /// What this board cannot tell is a missed wait, not a met one.
  @Test(arguments: [
    ("fail", Verdict.failed(.target)), ("flag", .partial), ("warn", .ok)
  ])
  func aSensorThatIsNotThereIsAMiss(rule: String, verdict: Verdict) async throws {
    let board = try DelayBoard()
    let bench = board.bench([
      "wait_for": ["temperature": [["zone": "cpu-thermall", "at_most": 45]]],
      "on_timeout": .text(rule)
    ])
    let record = try await bench.run([Delay.self])
    #expect(record.jobs.first?.outcome.verdict == verdict)
    #expect(record.log.contains("called 'cpu-thermall'; did you mean 'cpu-thermal'?"))
  }

  @Test(
    arguments: [
      ["fixed_between_jobs": 1, "temperature_between_jobs": 45],
      ["active_cooling": true, "fixed_between_jobs": 1],
      ["wait_for": [:]], ["wait_for": ["temperature": [["zone": "x"]]]],
      ["wait_for": ["battery": ["at_least": 0.9, "at_most": 0.1]]]
    ] as [[String: Value]])
  func whatContradictsItselfDoesNotRunWithout(settings: [String: Value]) async throws {
    let board = try DelayBoard()
    let bench = board.bench(settings)
    let job = try #require(try await bench.run([Delay.self]).jobs.first)
    #expect(job.outcome.verdict == .failed(.configuration), "\(job.outcome)")
    #expect(board.cooled == "")
  }
}
