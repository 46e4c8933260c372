import Foundation
import KelvinConnections
import KelvinMeters
import KelvinModel
import KelvinStore
import KelvinSystem
import Testing

@testable import KelvinExecution

/// The energy instrument in real runs, with meters whose power is known.
@Suite(.timeLimit(.minutes(2)))
struct EnergyMeasurementTests {
  private func bench(
    _ drivers: [WaveformDriver], _ settings: [String: Value] = [:], tied: [String]? = nil,
    argv: [String]? = ["sleep", "0.3"]
  ) -> InstrumentBench {
    var bench = InstrumentBench(LocalConnection())
    let place = SourceLocation(file: "bench.yaml", line: 1)
    bench.equipment.meters = BoardMeters(
      declared: drivers.map {
        MeterEntry(name: $0.name, driver: DriverChoice($0.name, location: place), location: place)
      }, tied: tied ?? drivers.map(\.name), drivers: drivers)
    bench.settings = ["energy": settings]
    bench.argv = argv
    return bench
  }

  private func run(_ bench: InstrumentBench) async throws -> InstrumentBench.Record.Job {
    let record = try await bench.run([ExecutionTime.self, EnergyMeasurement.self])
    return try #require(record.jobs.first)
  }

  @Test func givesEnergyAndPowerOfTheMeasuredWindow() async throws {
    let job = try await run(bench([WaveformDriver(sites: [("vdd", steady(2.5))])]))
    #expect(job.outcome == .ok, "\(job.outcome)")
    let time = try job.value("execution_time")
    let energy = try #require(job.metrics.first { $0.name == "energy" })
    let uncertainty = try #require(energy.uncertainty)
    #expect(energy.classifiers == ["rail": "wave", "meter": "wave"] && energy.unit == "J")
    let truth = 2.5 * time
    #expect(abs((energy.value.double ?? 0) - truth) <= 1e-6 * truth)
    // Gain 0.1 % and offset 1 mW as limits, and little besides.
    let stated =
      (2.5e-3 * 2.5e-3 + 1e-3 * 1e-3).squareRoot() * time / 3.0.squareRoot()
    // The round trip to the board depends on what else this machine does.
    #expect(
      uncertainty >= stated * 0.999 && uncertainty < stated + 0.05, "\(uncertainty) \(stated)")
    #expect(abs(try job.value("power_mean") - 2.5) < 1e-5)
    #expect(try job.value("power_peak") == 2.5)
    #expect(try job.value("energy_coverage") == 100)
    #expect(try job.value("energy_samples") >= 100)
    #expect(try job.value("board_energy") == energy.value.double)
    #expect(job.events.allSatisfy { $0.level == .info || $0.message.contains("same value") })
    let capture = try #require(job.captures.first)
    #expect(capture.meter?.serial == "wave" && capture.channels.map(\.name) == ["vdd.power"])
    #expect(capture.summary != nil && capture.source == "energy: wave")
  }

  /// Power that moves all the time, against its integral.
  @Test func holdsTheTruthOfAWaveform() async throws {
    let begin = MonotonicTime.now.nanoseconds
    // A sine of 3 Hz around 5 W: its integral is known.
    let omega = 2 * Double.pi * 3
    let driver = WaveformDriver(
      sites: [("vdd", { 5 + 2 * sin(omega * Double($0 - begin) / 1e9) })],
      accuracy: Accuracy(gain: 0, offset: 0))
    let record = try await bench([driver]).run([EnergyMeasurement.self])
    let job = try #require(record.jobs.first)
    let energy = try #require(job.metrics.first { $0.name == "energy" })
    let file = try record.content(try #require(job.artifacts.first { $0.name == "energy.json" }))
    let json = try #require(Value(json: String(decoding: file, as: UTF8.self))?.map)
    let window = try #require(json["intervals"]?.list?.first?.map)
    let (from, to) = (
      Double(try #require(window["from"]?.integer) - begin) / 1e9,
      Double(try #require(window["to"]?.integer) - begin) / 1e9
    )
    let truth = 5 * (to - from) + 2 * (cos(omega * from) - cos(omega * to)) / omega
    let value = try #require(energy.value.double)
    let uncertainty = try #require(energy.uncertainty)
    #expect(abs(value - truth) <= 3 * uncertainty, "\(value) \(truth) \(uncertainty)")
    #expect(uncertainty < 0.05 * truth, "\(uncertainty)")
    #expect(json["format"] == "kelvin-energy" && json["rails"]?.list?.count == 1)
  }

  @Test func measuresWithSeveralMetersAndDerivesRails() async throws {
    let board = WaveformDriver(
      sites: [("cpu", steady(2)), ("gpu", steady(1)), ("in", steady(4))], name: "board")
    let mains = WaveformDriver(sites: [("ac", steady(5))], rate: 100, name: "mains")
    let job = try await run(
      bench(
        [board, mains],
        [
          "rails": ["total": "in", "soc": "cpu + gpu", "losses": "mains - soc"],
          "efficiency": ["psu": "in / mains", "all": "soc / mains"]
        ]))
    #expect(job.outcome == .ok, "\(job.outcome)")
    let time = try job.value("execution_time")
    for (rail, watts) in [
      ("cpu", 2.0), ("gpu", 1), ("in", 4), ("mains", 5), ("soc", 3), ("losses", 2), ("total", 4)
    ] {
      let energy = try job.value("energy", ["rail": rail])
      #expect(abs(energy - watts * time) < 1e-5 * watts, "\(rail)")
    }
    #expect(abs(try job.value("board_energy") - 4 * time) < 1e-4)
    #expect(abs(try job.value("efficiency", ["rail": "psu"]) - 0.8) < 1e-5)
    #expect(abs(try job.value("efficiency", ["rail": "all"]) - 0.6) < 1e-5)
    let losses = try #require(
      job.metrics.first { $0.name == "energy" && $0.classifiers["rail"] == "losses" }?.uncertainty)
    let mains5 = try #require(
      job.metrics.first { $0.name == "energy" && $0.classifiers["rail"] == "mains" }?.uncertainty)
    // Of two meters: no less than that of one of them.
    #expect(losses > mains5)
    #expect(job.captures.count == 2)
  }

  @Test func givesFiguresOfPhasesThatTheWorkloadMarks() async throws {
    let script = """
      echo kelvin-phase: load; sleep 0.15; echo kelvin-phase: work; sleep 0.25
      echo kelvin-phase: end; sleep 0.05; echo kelvin-phase: load; sleep 0.1
      """
    let job = try await run(
      bench(
        [WaveformDriver(sites: [("vdd", steady(2))])], argv: ["sh", "-c", script]))
    #expect(job.outcome == .ok, "\(job.outcome)")
    for (phase, least) in [("load", 0.25), ("work", 0.25)] {
      let time = try job.value("phase_time", ["phase": phase])
      #expect(time >= least - 0.02, "\(phase) \(time)")
      let energy = try #require(
        job.metrics.first { $0.name == "phase_energy" && $0.classifiers["phase"] == phase })
      #expect(abs((energy.value.double ?? 0) - 2 * time) < 1e-5)
      // When a phase begins is known to 5 ms: √2·2 W·5 ms/√3 for each stretch, at least.
      let ends = 2.0.squareRoot() * 2 * 0.005 / 3.0.squareRoot()
      #expect((energy.uncertainty ?? 0) >= ends * 0.99, "\(energy)")
      #expect((energy.uncertainty ?? 0) < ends * 2.5, "\(energy)")
    }
    #expect(
      try job.value("phase_energy", ["phase": "load", "rail": "wave"])
        + job.value("phase_energy", ["phase": "work", "rail": "wave"])
        < job.value("energy", ["rail": "wave"]))
    let none = try await run(
      bench(
        [WaveformDriver(sites: [("vdd", steady(2))])], ["phases": false],
        argv: ["sh", "-c", script]))
    #expect(!none.metrics.contains { $0.name == "phase_energy" })
  }

  /// A meter whose clock is an hour ahead and badly known: what its own inputs mark is on that clock.
  @Test func givesFiguresOfPhasesThatInputsOfTheMeterMark() async throws {
    let begin = MonotonicTime.now.nanoseconds
    // 10 ms of 6 W each 50 ms, else 2 W; a line is high with it.
    let isBusy: @Sendable (Int64) -> Bool = { ($0 - begin) / 1_000_000 % 50 < 10 }
    var driver = WaveformDriver(sites: [("vdd", { isBusy($0) ? 6 : 2 })], rate: 5000)
    driver.lines = [("D0", isBusy), ("D1", { _ in false })]
    (driver.clockOffset, driver.clockUncertainty) = (3_600_000_000_000, 2e7)
    driver.accuracy = Accuracy(gain: 0, offset: 0)
    let settings: [String: Value] = [
      "phases": ["digital": ["D0": ["rising": "busy", "falling": "rest"], "wave/D1": "never"]]
    ]
    let job = try await run(bench([driver], settings, argv: ["sleep", "0.42"]))
    #expect(job.outcome == .ok, "\(job.outcome)")
    let window = try job.value("execution_time")
    let times = try ["busy", "rest"].map { try job.value("phase_time", ["phase": $0]) }
    #expect(abs(times[0] + times[1] - window) < 0.002, "\(times) \(window)")
    #expect(abs(times[0] - window / 5) <= 0.011, "\(times) \(window)")
    // A sample's period is known of each edge, late samples on a busy machine included; that the clocks may be
    // off by 20 ms would cost more than 4 W · 20 ms.
    let busy = try #require(
      job.metrics.first { $0.name == "phase_energy" && $0.classifiers["phase"] == "busy" })
    let uncertainty = try #require(busy.uncertainty)
    let truth = 6 * times[0]
    #expect(abs((busy.value.double ?? 0) - truth) <= 3 * uncertainty, "\(busy) \(truth)")
    let perEdge = 2.0.squareRoot() * 6 * 1e-4 / 3.0.squareRoot()
    #expect(uncertainty < 0.06, "\(uncertainty)")
    #expect(uncertainty > perEdge, "\(uncertainty)")
    #expect(!job.metrics.contains { $0.classifiers["phase"] == "never" })
    // Both ends of the window are the host's, where the clocks do matter.
    let file = try #require(job.artifacts.first { $0.name == "energy.json" })
    #expect(file.kind == .data)
    #expect(job.captures.first?.channels.map(\.name) == ["vdd.power", "D0", "D1"])
  }

  /// The board's link is not used while the workload runs; a meter beside it measures all the same.
  @Test func measuresDetachedJobsFromOutside() async throws {
    var driver = WaveformDriver(sites: [("vdd", steady(2))])
    var bench = bench([driver], argv: ["sh", "-c", "echo kelvin-phase: x; sleep 0.3"])
    bench.connection = ShellConnection()
    bench.detached = DetachedLink(settle: 1)
    let refused = try await run(bench)
    #expect(refused.outcome.verdict == .partial, "\(refused.outcome)")
    #expect(
      refused.outcome.reason.contains(
        "the job is detached, and wave would be read through the link"),
      "\(refused.outcome)")
    driver.isOutside = true
    bench.equipment.meters.drivers = [driver]
    let job = try await run(bench)
    #expect(job.outcome == .ok, "\(job.outcome)")
    let time = try job.value("execution_time")
    #expect(time >= 0.25 && time < 5)
    #expect(abs(try job.value("energy") - 2 * time) < 1e-5)
    #expect(try job.value("energy_coverage") == 100)
    // Its lines come when it is over, so they mark nothing.
    #expect(!job.metrics.contains { $0.name == "phase_energy" })
  }

  @Test func anInputThatIsNotThereIsNamed() async throws {
    var driver = WaveformDriver(sites: [("vdd", steady(2))])
    driver.lines = [("D0", { _ in true })]
    let job = try await run(bench([driver], ["phases": ["digital": ["D7": "x"]]]))
    #expect(job.outcome.verdict == .partial)
    #expect(job.outcome.reason.contains("no meter has an input 'D7'"), "\(job.outcome)")
    #expect(try job.value("energy") > 0)
    // One that is marked twice counts once.
    let script = "echo kelvin-phase: x; sleep 0.2"
    let twice = try await run(
      bench([driver], ["phases": ["digital": ["D0": "x"]]], argv: ["sh", "-c", script]))
    #expect(twice.outcome == .ok, "\(twice.outcome)")
    #expect(
      twice.messages(.warning).contains { $0.contains("'x' was marked by a digital input and") })
    let shares = try twice.value("phase_time", ["phase": "x"]) / twice.value("execution_time")
    #expect(abs(shares - 1) < 1e-9)
  }

  @Test func takesMarksFromOutside() async throws {
    var bench = bench([WaveformDriver(sites: [("vdd", steady(2))])], argv: nil)
    bench.during = { job in
      let file = MarkFile(run: job.run.directory, bootID: try LifeRecord.current().bootID)
      func mark(_ name: String?) throws {
        try file.add(
          PhaseMark(time: MonotonicTime.now.nanoseconds, limit: 1_000_000, name: name))
      }
      try mark("outside")
      _ = Deadline.after(seconds: 0.2).wait()
      try mark(nil)
      _ = Deadline.after(seconds: 0.05).wait()
    }
    let record = try await bench.run([EnergyMeasurement.self])
    let job = try #require(record.jobs.first)
    let time = try job.value("phase_time", ["phase": "outside"])
    #expect(time >= 0.19 && time < 1)
    #expect(abs(try job.value("phase_energy", ["rail": "wave"]) - 2 * time) < 1e-5)
    // They stand with the samples, too.
    let reader = try RunReader(directory: record.directory.path + "/run")
    let events = try reader.events(ofCapture: try #require(job.captures.first).id)
    #expect(events.filter { $0.kind == .mark }.map(\.note) == ["outside", "end"])
  }

  @Test func subtractsWhatTheBoardUsedIdle() async throws {
    let start = MonotonicTime.now.nanoseconds
    var driver = WaveformDriver(sites: [("vdd", steady(3))])
    driver.accuracy = Accuracy(gain: 0.001, offset: 0.01)
    let job = try await run(bench([driver], ["subtract_idle": "0.3 s"]))
    #expect(MonotonicTime.now.nanoseconds - start > 300_000_000)
    #expect(abs(try job.value("idle_power", ["rail": "wave"]) - 3) < 1e-5)
    let above = try #require(job.metrics.first { $0.name == "energy_above_idle" })
    #expect(abs(above.value.double ?? 1) < 1e-4)
    // The meter's offset and gain cancel altogether; when the window began and ended does not.
    let energy = try #require(job.metrics.first { $0.name == "energy" }?.uncertainty)
    let limits =
      (3e-3 * 3e-3 + 1e-2 * 1e-2).squareRoot() * (try job.value("execution_time"))
      / 3.0.squareRoot()
    let others = (energy * energy - limits * limits).squareRoot()
    #expect((above.uncertainty ?? 1) < 1.5 * others + 1e-4, "\(above) \(energy) \(others)")
    let stated = try await run(bench([driver], ["subtract_idle": "1 W ± 0.1 W"]))
    let time = try stated.value("execution_time")
    let board = try #require(
      stated.metrics.first { $0.name == "board_energy_above_idle" })
    #expect(abs((board.value.double ?? 0) - 2 * time) < 1e-4)
    #expect((board.uncertainty ?? 0) >= 0.1 * time / 3.0.squareRoot())
  }

  @Test func judgesByRulesAndNamesThoseThatFailed() async throws {
    let job = try await run(
      bench([WaveformDriver(sites: [("vdd", steady(3))])], ["rules": "mlperf-tiny"]))
    #expect(job.outcome == .ok)
    let verdict = try #require(job.metrics.first { $0.name == "energy_rules" })
    #expect(verdict.value == .text("failed: duration, repeats"))
    #expect(
      job.messages(.warning).contains {
        $0.contains("fails by the rules mlperf-tiny: duration (") && $0.contains("median of 5")
      }, "\(job.messages(.warning))")
  }

  @Test(arguments: [false, true])
  func aMeterThatVanishesMakesTheJobHonest(isRequired: Bool) async throws {
    let driver = WaveformDriver(sites: [("vdd", steady(2))], goesAfter: 0.15)
    let job = try await run(bench([driver], ["required": .boolean(isRequired)]))
    if isRequired {
      #expect(job.outcome.verdict == .failed(.infrastructure), "\(job.outcome)")
    } else {
      #expect(job.outcome.verdict == .partial, "\(job.outcome)")
    }
    #expect(job.outcome.reason.contains("wave: it has gone"), "\(job.outcome.reason)")
    // The samples so far are kept, and what they show is told with how much of the time it is.
    #expect((job.captures.first?.summary?["samples"]?.list?.first?.integer ?? 0) > 30)
    let coverage = try job.value("energy_coverage")
    #expect(coverage > 5 && coverage < 70, "\(coverage)")
    #expect(
      job.messages(.warning).contains { $0.contains("of the time was measured (edge") },
      "\(job.messages(.warning))")
  }

  @Test(arguments: [false, true])
  func gapsAreFlaggedAndBounded(isTold: Bool) async throws {
    var driver = WaveformDriver(sites: [("vdd", steady(2))], range: 0...10)
    (driver.pause, driver.tellsPause) = (0.1...0.2, isTold)
    let job = try await run(bench([driver], argv: ["sleep", "0.5"]))
    #expect(job.outcome == .ok)
    let coverage = try job.value("energy_coverage")
    #expect(coverage > 60 && coverage < 90, "\(coverage)")
    // At most 8 W more than the 2 W that are interpolated, for 0.1 s.
    let bound = try job.value("energy_loss_bound")
    #expect(bound > 0.79 && bound < 0.9, "\(bound)")
    #expect(job.messages(.warning).contains { $0.contains(/\(gap 1\d\d(\.\d)? ms/) })
  }

  /// A sleep in the window: the job is not whole, and its figures say so, in memory and from the database alike.
  @Test(arguments: [0, 30.0])
  func aSleepInTheWindowMakesTheJobHonest(unseen: Double) async throws {
    var driver = WaveformDriver(sites: [("vdd", steady(2))], range: 0...10)
    (driver.pause, driver.tellsPause, driver.sleeps) = (0.1...0.2, true, unseen)
    let job = try await run(bench([driver], argv: ["sleep", "0.5"]))
    #expect(job.outcome.verdict == .partial, "\(job.outcome)")
    #expect(
      job.outcome.reason.contains(
        /wave: what was used in a suspend of \d+(\.\d+)? m?s is not known and not/),
      "\(job.outcome.reason)")
    let time = try job.value("execution_time")
    let coverage = try job.value("energy_coverage") / 100
    #expect(abs(coverage - (time - 0.105) / (time + unseen)) < 0.05, "\(coverage)")
    // From nothing to the meter's whole range.
    let bound = try job.value("energy_loss_bound")
    #expect(bound > 10 * (0.1 + unseen) && bound < 10 * (0.13 + unseen), "\(bound)")
    #expect(try job.value("energy") < 2 * (time - 0.09))
  }

  /// One of several that cannot be had: the others measure, and the job says what is missing.
  @Test(arguments: [false, true])
  func oneMeterOfSeveralThatCannotBeOpenedIsNamed(isFound: Bool) async throws {
    let good = WaveformDriver(sites: [("vdd", steady(2.5))])
    var bad = WaveformDriver(sites: [("gpu", steady(1))], name: "other")
    bad.obstacle = MeterFailure(
      .permission, "other: this user may not read it", hint: "join group dialout")
    var bench = bench([good, bad], ["rails": ["sum": "wave + other"]])
    if !isFound {
      // The bench file ties one to the board that it does not have.
      bench.equipment.meters.declared.removeLast()
      bench.equipment.meters.drivers = [good]
    }
    let job = try await run(bench)
    #expect(job.outcome.verdict == .partial, "\(job.outcome)")
    #expect(
      job.outcome.reason.contains(isFound ? "other: this user may not" : "'other'"),
      "\(job.outcome.reason)")
    let energies = job.metrics.filter { $0.name == "energy" }
    #expect(energies.map(\.classifiers) == [["rail": "wave", "meter": "wave"]], "\(energies)")
    let truth = 2.5 * (try job.value("execution_time"))
    #expect(abs((energies.first?.value.double ?? 0) - truth) <= 1e-6 * truth)
    #expect(try job.value("energy_coverage") == 100)
  }

  @Test func saturationIsFlagged() async throws {
    let begin = MonotonicTime.now.nanoseconds
    // At the end of its range for a tenth of the time.
    let driver = WaveformDriver(
      sites: [("vdd", { ($0 - begin) / 10_000_000 % 10 == 0 ? 10 : 5 })], range: 0...10)
    let job = try await run(bench([driver]))
    #expect(job.outcome == .ok)
    #expect(
      job.messages(.warning).contains {
        $0.contains("wave: the meter was at the end of its range")
      },
      "\(job.events)")
    let all = try await run(
      bench([WaveformDriver(sites: [("vdd", steady(10))], range: 0...10)]))
    #expect(all.outcome.verdict == .partial)
    #expect(
      all.outcome.reason.contains(
        /wave: nothing was measured in the window \(saturation \d+(\.\d+)? ms/),
      "\(all.outcome)")
    #expect(!all.metrics.contains { $0.name == "energy" })
  }

  @Test func withoutAMeterItIsLeftOutWithAReason() async throws {
    var driver = WaveformDriver(sites: [("vdd", steady(1))])
    driver.isFound = false
    let record = try await bench([driver], tied: []).run([EnergyMeasurement.self])
    #expect(record.outcome == .ok)
    #expect(record.log.contains("no meter that measures power or energy"), "\(record.log)")
    // One that was named must be there.
    let named = try await run(bench([driver], ["meters": ["ppk2-a"]], tied: []))
    #expect(named.outcome.verdict == .partial)
    #expect(named.outcome.reason.contains("there is no meter 'ppk2-a'"), "\(named.outcome)")
    let required = try await run(
      bench([driver], ["meters": ["ppk2-a"], "required": true], tied: []))
    #expect(required.outcome.verdict == .failed(.configuration), "\(required.outcome)")
  }

  @Test func aMeterOfAnotherBoardIsLeftToIt() async throws {
    var bench = bench([WaveformDriver(sites: [("vdd", steady(1))])], ["meters": ["wave"]])
    bench.equipment.meters.elsewhere = ["wave": "pi"]
    let job = try await run(bench)
    #expect(job.outcome.verdict == .partial)
    #expect(job.outcome.reason.contains("wave: measures 'pi', and not 'test'"), "\(job.outcome)")
  }

  /// A chip of the kernel that gives garbage for a while: what could not be read is lost, and told.
  @Test func valuesThatCannotBeReadAreFlagged() async throws {
    let chip = "/sys/class/hwmon/hwmon0"
    let tree = try RecordedTree([
      "/proc/sys/kernel/ostype": "Linux\n", "\(chip)/name": "ina226\n",
      "\(chip)/power1_input": "4000000\n", "\(chip)/update_interval": "2\n"
    ])
    var bench = InstrumentBench(LocalConnection(root: tree.root))
    bench.argv = nil
    bench.settings = ["energy": ["accuracy": ["power": "1 % + 1 mW"]]]
    bench.during = { _ in
      func wait() { _ = Deadline.after(seconds: 0.2).wait() }
      wait()
      try tree.write(["\(chip)/power1_input": "broken\n"])
      wait()
      try tree.write(["\(chip)/power1_input": "4000000\n"])
      wait()
    }
    let job = try await run(bench)
    #expect(job.outcome == .ok, "\(job.outcome)")
    let coverage = try job.value("energy_coverage")
    #expect(coverage > 20 && coverage < 80, "\(coverage)")
    #expect(
      job.messages(.warning).contains {
        $0.contains("hwmon/ina226: only ") && $0.contains(/\(error \d+(\.\d+)? ms/)
      }, "\(job.messages(.warning))")
    // What was steady around it is interpolated.
    let energy = try job.value("energy", ["rail": "hwmon/ina226"])
    let time = try job.value("execution_time")
    #expect(abs(energy - 4 * time) < 1e-5)
    #expect(job.captures.first?.meter?.driver == "hwmon")
  }

  @Test func unknownRailsAreNamed() async throws {
    let driver = WaveformDriver(sites: [("cpu", steady(1)), ("gpu", steady(2))])
    let job = try await run(bench([driver], ["rails": ["total": "cpu + gpo"]]))
    #expect(job.outcome.verdict == .partial)
    #expect(
      job.outcome.reason.contains("there is no rail 'gpo'; did you mean 'gpu'?"), "\(job.outcome)")
    // What is measured is given all the same.
    #expect(try job.value("energy", ["rail": "gpu"]) > 0)
  }

  @Test(
    arguments: [
      (["rails": ["a": "b +"]], "rails: a: "), (["subtract_idle": "2 A"], "subtract_idle: "),
      (["voltage": "5 A"], "voltage: "), (["efficiency": ["psu": "x"]], "efficiency: psu: "),
      (["instrument": "daq"], "instrument: "),
      (["instrument_parameters": ["host": "x"]], "instrument_parameters: host")
    ] as [([String: Value], String)])
  func refusesSettingsThatContradict(settings: [String: Value], says: String) {
    let failure = #expect(throws: PlainFailure.self) { try EnergyMeasurement(settings: settings) }
    #expect(failure?.message.hasPrefix(says) == true, "\(failure?.message ?? "")")
    #expect(failure?.kind == .configuration)
  }

  @Test func takesWorkloadAutomationsNames() throws {
    let options = try EnergyOptions(["instrument": "hwmon", "channels": ["1"]])
    #expect(options.meters == ["hwmon"] && options.sites == ["1"])
    #expect(EnergyMeasurement.declaration.aliases == ["energy_measurement"])
  }
}
