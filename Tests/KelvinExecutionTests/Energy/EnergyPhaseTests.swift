import Foundation
import KelvinConnections
import KelvinMeters
import KelvinModel
import KelvinStore
import KelvinSystem
import Testing

@testable import KelvinExecution

/// Phases of a job that lines, inputs of a meter and somebody else mark, in real runs.
@Suite(.timeLimit(.minutes(2)))
struct EnergyPhaseTests: EnergySuite {
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
      // More where the lines were read late.
      #expect((energy.uncertainty ?? 0) < ends * 20, "\(energy)")
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
    (driver.clockOffset, driver.clockUncertainty) = (3_600_000_000_000, 2e8)
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
    // off by 200 ms would cost more than 4 W · 200 ms.
    let busy = try #require(
      job.metrics.first { $0.name == "phase_energy" && $0.classifiers["phase"] == "busy" })
    let uncertainty = try #require(busy.uncertainty)
    let truth = 6 * times[0]
    #expect(abs((busy.value.double ?? 0) - truth) <= 3 * uncertainty, "\(busy) \(truth)")
    let perEdge = 2.0.squareRoot() * 6 * 1e-4 / 3.0.squareRoot()
    #expect(uncertainty < 0.4, "\(uncertainty)")
    #expect(uncertainty > perEdge, "\(uncertainty)")
    #expect(!job.metrics.contains { $0.classifiers["phase"] == "never" })
    // Both ends of the window are the host's, where the clocks do matter.
    let file = try #require(job.artifacts.first { $0.name == "energy.json" })
    #expect(file.kind == .data)
    #expect(job.captures.first?.channels.map(\.name) == ["vdd.power", "D0", "D1"])
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
}
