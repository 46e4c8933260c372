import Foundation
import KelvinConnections
import KelvinMeters
import KelvinModel
import KelvinStore
import KelvinSystem
import Testing

@testable import KelvinExecution

/// What becomes of a job whose energy was not measured as a whole.
@Suite(.timeLimit(.minutes(2)))
struct EnergyLossTests: EnergySuite {
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
}
