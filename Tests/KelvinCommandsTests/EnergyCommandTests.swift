import Foundation
import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import KelvinSystem
import Testing

/// The energy instrument, `kelvin mark` and what `kelvin measure` shares with them, on a board whose kernel
/// is a recorded tree with a chip that measures 5 W.
@Suite(.timeLimit(.minutes(3)))
struct EnergyCommandTests {
  private let scratch: Scratch
  private let board: [String]

  init() throws {
    scratch = try Scratch()
    for (file, content) in [
      ("sys/class/hwmon/hwmon0/name", "ina226"),
      ("sys/class/hwmon/hwmon0/power1_input", "5000000"),
      ("sys/class/hwmon/hwmon0/update_interval", "2"),
      ("proc/sys/kernel/random/boot_id", "5a2a0e37-7d8e-4b0e-8f0e-3d1b3c1f0a01"),
      ("proc/sys/kernel/osrelease", "6.6.0"), ("proc/sys/kernel/version", "#1 SMP"),
      ("proc/sys/kernel/arch", "x86_64"), ("proc/sys/kernel/ostype", "Linux"),
      ("proc/sys/kernel/hostname", "board"), ("proc/cmdline", "quiet"),
      ("sys/devices/system/cpu/online", "0-3")
    ] { try scratch.writeTree(content, to: file) }
    let bench = try scratch.write(
      "bench.yaml",
      """
      boards:
        rec:
          profile: generic-linux
          connection: {local: {root: \(scratch.path)/tree}}
          meters: [rail]
      meters:
        rail: {driver: hwmon, chip: ina226, accuracy: {power: 1 % + 2 mW}}

      """)
    board = ["--board", "rec", "--bench", bench]
  }

  private func agenda(_ script: String, _ settings: String = "{}", retries: Int = 0) throws {
    try scratch.write(
      "a.yaml",
      """
      config:
        augmentations: [energy, csv]
        max_retries: \(retries)
        energy: \(settings)
      workloads:
        - name: command
          params: {argv: [sh, -c, '\(script)']}

      """)
  }

  private func kelvin(_ arguments: [String]) async throws -> Ran {
    try await KelvinBinary.run(arguments, in: scratch.path)
  }

  private func metrics(_ run: String = "out") throws -> [Metric] {
    let reader = try RunReader(directory: "\(scratch.path)/\(run)")
    let attempt = try #require(try reader.lastAttempt(ofJob: 0))
    return try reader.metrics(ofAttempt: attempt.id)
  }

  /// Its digital line is high for some lines of each 50.
  private static let tool =
    "tool: {driver: command, shell: 'n=0; while :; do n=$((n+1)); echo \"2.5 $((n % 50 < 20))\"; "
    + "sleep 0.002; done', columns: [power, d0], separator: ' ', channels: {power: W, d0: logic}, "
    + "delay: 10 ms}"

  @Test func aRunUsesMetersOfTheCommandLine() async throws {
    try agenda("sleep 0.5", "{phases: {digital: {d0: busy}}}")
    let ran = try await kelvin(
      ["run", "a.yaml", "-d", "out", "--meter", Self.tool, "--bench", scratch.path + "/none.yaml"])
    #expect(ran.code == 0, "\(ran.both)")
    let found = try metrics()
    #expect(found.first { $0.name == "energy" }?.classifiers["meter"] == "tool")
    let time = try #require(found.first { $0.name == "execution_time" }?.value.double)
    let busy = try #require(found.first { $0.name == "phase_time" }?.value.double)
    #expect(busy > 0.1 * time && busy < 0.9 * time, "\(busy) of \(time)")
    // A resume knows what the command line said.
    let resumed = try await kelvin(["resume", "out"])
    #expect(resumed.code == 0, "\(resumed.both)")
    let wrong = try await kelvin([
      "run", "a.yaml", "-d", "other", "--meter", "tool: {driver: cmmand}"
    ])
    #expect(wrong.code == 2 && wrong.errors.contains("unknown driver 'cmmand'"), "\(wrong.both)")
    #expect(!scratch.exists("other"))
  }

  @Test func aRunUsesTheMeterThatTheBenchTiesToItsBoard() async throws {
    try agenda("sleep 0.3")
    let ran = try await kelvin(["run", "a.yaml", "-d", "out"] + board)
    #expect(ran.code == 0, "\(ran.both)")
    let found = try metrics()
    let energy = try #require(found.first { $0.name == "energy" })
    let time = try #require(found.first { $0.name == "execution_time" }?.value.double)
    #expect(energy.classifiers["meter"] == "rail")
    #expect(abs((energy.value.double ?? 0) - 5 * time) < 1e-5)
    #expect(ran.output.contains("± k=2"), "\(ran.output)")
    #expect(try scratch.read("out/results.csv").contains(",energy,"))
  }

  @Test(arguments: [
    ("{rails: {a: b + a}}", "energy: rails: a, which is of a: a rail of itself"),
    ("{subtract_idle: 3 V}", "energy: subtract_idle: expected a time"),
    ("{rules: mlperf-huge}", "mlperf-tiny"), ("{mters: [a]}", "did you mean 'meters'")
  ])
  func mistakesAreToldWithThePlan(settings: String, says: String) async throws {
    try agenda("true", settings)
    let planned = try await kelvin(["plan", "a.yaml"])
    #expect(planned.code == 2 && planned.errors.contains(says), "\(planned.both)")
    #expect(planned.errors.contains("a.yaml:4:"), "\(planned.errors)")
  }

  /// kill -9 in the middle of a capture: its samples stay, and the resumed run measures anew.
  @Test func keepsSamplesOfARunThatWasKilled() async throws {
    try agenda("test -e second || sleep 60; sleep 0.3")
    let process = try await KelvinBinary.start(
      ["run", "a.yaml", "-d", "out"] + board, in: scratch.path)
    func samples(of attempt: Int) -> Int {
      guard let reader = try? RunReader(directory: scratch.path + "/out"),
        let attempts = try? reader.attempts(ofJob: 0), attempts.count > attempt,
        let capture = try? reader.captures(ofAttempt: attempts[attempt].id).first,
        let blocks = try? reader.blocks(ofCapture: capture.id, channel: 0)
      else { return 0 }
      return blocks.reduce(0) { $0 + $1.codes.count }
    }
    let deadline = Deadline.after(seconds: 60)
    while samples(of: 0) < 100, !deadline.hasPassed { _ = Deadline.after(seconds: 0.05).wait() }
    let before = samples(of: 0)
    Glibc.kill(process.processID, SIGKILL)
    _ = try await process.wait(until: .after(seconds: 30))
    #expect(before >= 100 && samples(of: 0) >= before)
    try scratch.write("second", "")
    try agenda("true")
    let resumed = try await kelvin(["resume", "out"])
    // The workload looks for the file in its own directory, wherever that is.
    #expect(resumed.code == 0 || resumed.code == 1, "\(resumed.both)")
    #expect(samples(of: 0) >= before)
    let reader = try RunReader(directory: scratch.path + "/out")
    #expect(try reader.attempts(ofJob: 0).count == 2)
    #expect(samples(of: 1) > 10)
    #expect(try metrics().contains { $0.name == "energy" })
  }

  @Test func marksThePhaseOfARunningJob() async throws {
    try agenda(
      "touch \(scratch.path)/begun; while ! test -e \(scratch.path)/go; do sleep 0.02; done")
    let process = try await KelvinBinary.start(
      ["run", "a.yaml", "-d", "runs/one"] + board, in: scratch.path)
    let deadline = Deadline.after(seconds: 60)
    while !scratch.exists("begun"), !deadline.hasPassed { _ = Deadline.after(seconds: 0.02).wait() }
    #expect(try await kelvin(["mark", "decode"]).code == 0)
    _ = Deadline.after(seconds: 0.3).wait()
    let named = try await kelvin(["mark", "end", "--run", "runs/one"])
    #expect(named.code == 0, "\(named.both)")
    try scratch.write("go", "")
    let result = try await process.wait(until: .after(seconds: 60))
    #expect(result.isSuccess, "\(result.standardError.text)")
    let found = try metrics("runs/one")
    let time = try #require(found.first { $0.name == "phase_time" })
    #expect(time.classifiers == ["phase": "decode"])
    let seconds = try #require(time.value.double)
    #expect(seconds >= 0.3 && seconds < 30)
    let energy = try #require(found.first { $0.name == "phase_energy" })
    #expect(abs((energy.value.double ?? 0) - 5 * seconds) < 1e-4)
    // Each mark is known to the age of the process that made it.
    #expect((energy.uncertainty ?? 0) > 5 * 0.001)
    // Nothing goes on any more.
    let late = try await kelvin(["mark", "decode"])
    #expect(late.code == 1 && late.errors.contains("no run in runs/ goes on"), "\(late.both)")
    let ended = try await kelvin(["mark", "decode", "--run", "runs/one"])
    #expect(ended.code == 1 && ended.errors.contains("does not go on"), "\(ended.both)")
    #expect(try await kelvin(["mark", " "]).code == 2)
  }

  @Test func measureSubtractsIdleAndJudgesByRules() async throws {
    let file = scratch.path + "/figure.json"
    let measured = try await kelvin(
      ["measure", "--subtract-idle", "0.3 s", "--rules", "mlperf-tiny", "--format", "json", "-o"]
        + [file] + board + ["--", "sleep", "0.3"])
    #expect(measured.code == 0, "\(measured.both)")
    let value = try #require(Value(json: try String(contentsOfFile: file, encoding: .utf8))?.map)
    // The bench file ties it to the board.
    #expect(value["meter"]?.map?["name"] == "rail")
    let run = try #require(value["runs"]?.list?.first?.map)
    let site = try #require(run["sites"]?.list?.first?.map)
    #expect(abs((site["idle_power"]?.number ?? 0) - 5) < 1e-4)
    #expect(abs(site["energy_above_idle"]?.number ?? 1) < 1e-4)
    let failed = site["rules"]?.map?["findings"]?.list?.compactMap(\.map)
      .filter { $0["passed"] == false }.compactMap { $0["rule"]?.text }
    #expect(failed == ["duration", "repeats"])
    let text = try await kelvin(
      ["measure", "--subtract-idle", "2 W ± 0.1 W", "--rules", "mlperf-power"] + board
        + ["--", "sleep", "0.2"])
    #expect(
      text.errors.contains("above idle; idle power 2.00 W ± 0.12 W, as stated"), "\(text.both)")
    #expect(text.errors.contains("rules mlperf-power failed: "), "\(text.both)")
    for wrong in [["--subtract-idle", "5 V"], ["--rules", "x"]] {
      #expect(try await kelvin(["measure"] + wrong + ["--", "true"]).code == 2)
    }
  }

  /// What comes with Kelvin runs on a machine without any meter, and says so.
  @Test func theExampleSaysWhetherThereIsAMeter() async throws {
    let ran = try await kelvin(
      ["run", ExamplesTests.top + "/examples/energy.yaml", "-d", "out"])
    let found = try metrics()
    if found.contains(where: { $0.name == "energy" }) {
      #expect(ran.code == 0, "\(ran.both)")
    } else {
      #expect(ran.errors.contains("energy: unavailable on this target: "), "\(ran.both)")
      #expect(ran.code == 0, "\(ran.both)")
    }
  }
}
