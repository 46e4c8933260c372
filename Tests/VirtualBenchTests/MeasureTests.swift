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

  /// Powers that follow each other, and when each began; the guest's meter gives their mean over a second, as it
  /// states of itself.
  private struct Waveform {
    var steps: [(time: Int64, watts: Double)]
    var average = MeterAverage()
    let live: LiveValues
    private static let powers = [4.0, 2, 6, 3, 8, 4, 2, 7, 5]

    init(_ live: LiveValues) {
      self.live = live
      steps = [(MonotonicTime.now.nanoseconds, Self.powers[0])]
      live.set(power: Self.powers[0])
    }

    /// Goes on to the next power when it is time.
    mutating func advance() {
      let now = MonotonicTime.now.nanoseconds
      if now - steps[steps.count - 1].time > 2_300_000_000 {
        steps.append((now, Self.powers[steps.count % Self.powers.count]))
      }
      let energy = energy(from: steps[0].time, to: now)
      if let power = average.power(at: now, energy: energy) { live.set(power: power) }
    }

    /// In joules.
    func energy(from: Int64, to: Int64) -> Double {
      var sum = 0.0
      for (index, step) in steps.enumerated() {
        let end = index + 1 < steps.count ? steps[index + 1].time : Int64.max
        let (begin, finish) = (max(step.time, from), min(end, to))
        if finish > begin { sum += step.watts * Double(finish - begin) / 1e9 }
      }
      return sum
    }
  }

  /// Power that changes while it is measured: the stated interval holds the truth, and is worth
  /// stating.
  @Test func holdsTheTruthOfAWaveform() throws {
    var waveform = Waveform(live)
    let figure = try measure(12) { waveform.advance() }
    let truth = waveform.energy(from: figure.from, to: figure.to)
    print("truth \(truth) J, figure \(figure)")
    // k = 3, since the times of the kernel's questions are not the test's to choose: k = 2 would fail in
    // one run of twenty.
    #expect(abs(figure.energy - truth) <= 1.5 * figure.uncertainty, "\(truth) \(figure)")
    // A dozen conversions of five levels tell no more.
    #expect(figure.uncertainty < 0.3 * truth, "\(truth) \(figure)")
  }

  /// The energy of a job and of its phases, by the energy instrument.
  @Test func holdsTheTruthOfAJobAndItsPhases() throws {
    let agenda = bench.directory + "/a.yaml"
    try """
    config:
      augmentations: [energy, csv]
      csv: {extra_columns: [phase]}
      energy:
        meters: [hwmon/power_meter]
        accuracy: {power: 0.1 % + 1 mW}
    workloads:
      - name: command
        params:
          argv: [sh, -c, 'echo kelvin-phase: a; sleep 6; echo kelvin-phase: b; sleep 6']

    """.write(toFile: agenda, atomically: true, encoding: .utf8)
    var waveform = Waveform(live)
    let process = try bench.start(
      ["run", agenda, "--board", "rock", "-d", bench.directory + "/out"], bench: text)
    while process.isRunning {
      waveform.advance()
      Thread.sleep(forTimeInterval: 0.05)
    }
    try #require(process.terminationStatus == 0)
    let file = bench.directory + "/out/jobs/0001-command-1/attempt-1/energy.json"
    let json = try String(contentsOfFile: file, encoding: .utf8)
    let record = try #require(Value(json: json)?.map)
    let intervals = (record["intervals"]?.list ?? []).compactMap(\.map)
    let entries = (record["rails"]?.list ?? []).compactMap(\.map)
    try #require(intervals.count == 3 && entries.count == 3, "\(record)")
    // id, workload, iteration, attempt, metric, phase, value, units, uncertainty
    let rows = try String(contentsOfFile: bench.directory + "/out/results.csv", encoding: .utf8)
      .split(separator: "\r\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    for (index, name) in ["energy", "phase_energy", "phase_energy"].enumerated() {
      let truth = waveform.energy(
        from: try #require(intervals[index]["from"]?.integer),
        to: try #require(intervals[index]["to"]?.integer))
      let phase = index == 0 ? "" : ["a", "b"][index - 1]
      let row = try #require(
        rows.first { $0.count == 9 && $0[4] == name && $0[5] == phase }, "\(rows)")
      let value = try #require(Double(row[6]))
      let uncertainty = try #require(Double(row[8]))
      print("\(name) \(phase): truth \(truth) J, figure \(value) ± \(2 * uncertainty) J")
      #expect(abs(value - truth) <= 3 * uncertainty, "\(truth) \(row)")
      #expect(uncertainty < 0.4 * truth, "\(truth) \(row)")
    }
  }
}
