import Foundation
import KelvinModel
import KelvinSimulators
import Testing

/// `kelvin measure` on a board whose kernel has a power meter, against what the meter was told.
@Suite(.serialized, .needsGuests, .guest("x86-a"), .timeLimit(.minutes(5)))
struct MeasureTests {
  let bench: KelvinBench
  let text: String
  let live: LiveValues

  init() throws {
    let board = try #require(VirtualGuest.current)
    bench = try KelvinBench()
    live = try LiveValues(folder: board.folder)
    text = """
      boards:
        rock:
          profile: virtual-x86
          connection:
            ssh: {host: 127.0.0.1, port: \(try board.port("ssh_port")), config: \(board.folder)/ssh_config}
      """
  }

  private struct Figure {
    var from: Int64
    var to: Int64
    var energy: Double
    var uncertainty: Double
    var coverage: Double
  }

  /// Measures while `meanwhile` runs, again and again until the figure is there.
  private func measure(_ seconds: Double, _ meanwhile: () -> Void = {}) throws -> Figure {
    let file = bench.directory + "/figure.json"
    try? FileManager.default.removeItem(atPath: file)
    let process = try bench.start(
      [
        "measure", "--board", "rock", "--meter", "hwmon/power_meter", "--for", "\(seconds) s",
        "--accuracy", "power=0.1 % + 1 mW", "--format", "json", "-o", file
      ], bench: text)
    while process.isRunning {
      meanwhile()
      Thread.sleep(forTimeInterval: 0.05)
    }
    try #require(process.terminationStatus == 0)
    let value = Value(json: try String(contentsOfFile: file, encoding: .utf8))
    let run = try #require(value?.map?["runs"]?.list?.first?.map, "\(value as Any)")
    let site = try #require(run["sites"]?.list?.first?.map)
    return Figure(
      from: try #require(run["from_monotonic_ns"]?.integer),
      to: try #require(run["to_monotonic_ns"]?.integer),
      energy: try #require(site["energy"]?.number),
      uncertainty: try #require(site["expanded_uncertainty"]?.number),
      coverage: try #require(site["coverage"]?.number))
  }

  @Test func tellsASteadyPower() throws {
    live.set(power: 5)
    // The kernel asks the meter once a second.
    Thread.sleep(forTimeInterval: 1.2)
    let figure = try measure(3)
    let truth = 5 * Double(figure.to - figure.from) / 1e9
    #expect(abs(figure.energy - truth) <= 0.002 * truth, "\(figure)")
    #expect(abs(figure.energy - truth) <= figure.uncertainty, "\(figure)")
    #expect(figure.coverage > 0.99, "\(figure)")
  }

  /// Power that changes while it is measured: the stated interval holds the truth, and is worth
  /// stating.
  @Test func holdsTheTruthOfAWaveform() throws {
    var steps: [(time: Int64, watts: Double)] = [(MonotonicTime.now.nanoseconds, 4)]
    live.set(power: 4)
    let powers = [2.0, 6, 3, 8, 4, 2, 7, 5]
    let figure = try measure(12) {
      guard MonotonicTime.now.nanoseconds - steps[steps.count - 1].time > 2_300_000_000 else {
        return
      }
      let watts = powers[steps.count % powers.count]
      live.set(power: watts)
      steps.append((MonotonicTime.now.nanoseconds, watts))
    }
    var truth = 0.0
    for (index, step) in steps.enumerated() {
      let end = index + 1 < steps.count ? steps[index + 1].time : Int64.max
      let (from, to) = (max(step.time, figure.from), min(end, figure.to))
      if to > from { truth += step.watts * Double(to - from) / 1e9 }
    }
    print("truth \(truth) J, figure \(figure)")
    // k = 3, since the times of the kernel's questions are not the test's to choose: k = 2 would fail in
    // one run of twenty.
    #expect(abs(figure.energy - truth) <= 1.5 * figure.uncertainty, "\(truth) \(figure)")
    // A dozen conversions of five levels tell no more.
    #expect(figure.uncertainty < 0.3 * truth, "\(truth) \(figure)")
  }
}
