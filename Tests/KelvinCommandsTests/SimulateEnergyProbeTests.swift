import Foundation
import Glibc
import KelvinConnections
import KelvinModel
import Testing

/// `kelvin simulate energy-probe`, and what a user without hardware does with it.
@Suite(.timeLimit(.minutes(2)))
struct SimulateEnergyProbeTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func start(_ arguments: String) async throws -> SimulatorProcess {
    try await SimulatorProcess("energy-probe " + arguments, in: scratch, until: "2: {site")
  }

  private func run(_ arguments: [String]) async throws -> Ran {
    try await KelvinBinary.run(arguments, in: scratch.path)
  }

  /// What each rail draws is known: by the probe's own power, by voltage and current, and where there are all
  /// three.
  @Test func eachRailsEnergyIsTheTruth() async throws {
    let process = try await start("--for '100 s' --seed 5")
    let ran = try await run([
      "measure", "--board", "simulated", "--for", "2 s", "--format", "json", "-o", "out.json"
    ])
    #expect(ran.code == 0, "\(ran.both)")
    let out = try #require(
      try JSONSerialization.jsonObject(with: Data(scratch.read("out.json").utf8))
        as? [String: Any])
    let runs = try #require(out["runs"] as? [[String: Any]], "\(out)")
    let sites = try #require(runs.first?["sites"] as? [[String: Any]], "\(runs)")
    #expect(sites.count == 3, "\(sites)")
    for (name, watts, volts) in [("cpu", 2.0, 5.0), ("gpu", 0.99, 3.3), ("memory", 1.2591, 1.8)] {
      let site = try #require(sites.first { $0["site"] as? String == name }, "\(sites)")
      let energy = try #require(site["energy"] as? Double, "\(site)")
      let interval = try #require(site["expanded_uncertainty"] as? Double, "\(site)")
      // The window begins anywhere in a tenth of a second, and ends some milliseconds late; the noise of rounding
      // and all that is not stated are in the interval.
      let edges = volts * 1.2 * 0.02 + 0.01 * watts
      #expect(abs(energy - 2 * watts) < interval + edges, "\(name): \(energy) ± \(interval) J")
      #expect(interval < 0.2 * energy, "\(name): \(interval)")
    }
    try await process.end()
    #expect(try scratch.read("log").contains("lost 0"))
  }

  /// Whoever measures next finds it sending, and resets it.
  @Test func aPredecessorMayBeKilled() async throws {
    let simulator = try await start("--for '100 s'")
    let first = try await KelvinBinary.start(
      [
        "meter", "record", "simulated-energy-probe", "--board", "simulated", "-d", "first", "--for",
        "60 s"
      ], in: scratch.path)
    let deadline = Date(timeIntervalSinceNow: 20)
    while !FileManager.default.fileExists(atPath: scratch.path + "/first/run.db") {
      try #require(Date() < deadline)
      usleep(20_000)
    }
    usleep(500_000)
    kill(first.processID, SIGKILL)
    _ = try await first.wait(until: .after(seconds: 10))
    let ran = try await run([
      "meter", "record", "simulated-energy-probe", "--board", "simulated", "-d", "second", "--for",
      "500 ms"
    ])
    #expect(ran.code == 0 && !ran.both.contains("lost"), "\(ran.both)")
    try await simulator.end(by: SIGTERM)
  }

  @Test(arguments: [
    ("--fault byte-loss-20", "--fault:"), ("--answers odd", "--answers:"),
    ("--skew 1e9", "--skew:"), ("--after -1", "--after")
  ])
  func mistakesAreTold(arguments: String, what: String) async throws {
    let ran = try await run(
      ["simulate", "energy-probe"] + arguments.split(separator: " ").map(String.init))
    #expect(ran.code != 0 && ran.errors.contains(what), "\(ran.both)")
  }
}
