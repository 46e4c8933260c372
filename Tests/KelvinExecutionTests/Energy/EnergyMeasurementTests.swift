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
struct EnergyMeasurementTests: EnergySuite {
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
