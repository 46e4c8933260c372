import Foundation
import Testing

/// Simulated meters of the network, and what a user without hardware does with them.
@Suite(.timeLimit(.minutes(2)))
struct SimulateNetworkMeterTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Runs a simulator, measures for a time, and gives the site's joules.
  private func energy(_ simulator: String, seconds: Int, until text: String) async throws -> Double
  {
    let process = try await SimulatorProcess(
      simulator + " --for '100 s'", in: scratch, until: text)
    let ran = try await KelvinBinary.run(
      [
        "measure", "--board", "simulated", "--for", "\(seconds) s", "--format", "json", "-o",
        "out.json"
      ], in: scratch.path)
    #expect(ran.code == 0, "\(ran.both)")
    try await process.end()
    let out = try #require(
      try JSONSerialization.jsonObject(with: Data(scratch.read("out.json").utf8))
        as? [String: Any])
    let runs = try #require(out["runs"] as? [[String: Any]], "\(out)")
    let sites = try #require(runs.first?["sites"] as? [[String: Any]], "\(runs)")
    return try #require(sites.first?["energy"] as? Double, "\(sites)")
  }

  /// 10 mA on average at 3.3 V, of a current at 4 kHz and a voltage at 1 kHz.
  @Test func anOtiiTellsTheEnergyOfItsBoard() async throws {
    let joules = try await energy("otii", seconds: 1, until: "driver: otii")
    #expect(abs(joules - 0.033) < 0.003, "\(joules) J")
    #expect(try scratch.read("log").contains("1 recordings"))
    #expect(try scratch.read("log").contains("main output 0.0 V, off"))
  }

  /// 5 W on average; a plug's values hold for a second.
  @Test(arguments: [
    ("plug --model shelly2 --metered", "driver: plug"), ("yoctopuce", "driver: yoctopuce")
  ])
  func slowMetersTellTheirMean(simulator: String, text: String) async throws {
    let joules = try await energy(simulator, seconds: 2, until: text)
    #expect(abs(joules - 10) < 3, "\(joules) J")
  }

  @Test(arguments: ["otii --model none", "otii --fault x", "yoctopuce --fault x"])
  func refusesWhatItCannotBe(arguments: String) async throws {
    let ran = try await KelvinBinary.run(
      ["simulate"] + arguments.split(separator: " ").map(String.init), in: scratch.path)
    #expect(ran.code == 2, "\(ran.both)")
  }
}
