import Foundation
import Glibc
import Testing

/// `kelvin simulate scpi`, and what a user without hardware does with it.
@Suite(.timeLimit(.minutes(2)))
struct SimulateSCPITests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func start(_ arguments: String) async throws -> SimulatorProcess {
    try await SimulatorProcess("scpi " + arguments, in: scratch, until: "driver: scpi")
  }

  /// What the board draws is known: a mean of 100 mA at 5 V over a whole second.
  @Test(arguments: ["--profile rigol-dp800", "--profile keysight-n6705 --logging"])
  func energyIsWhatTheBoardDraws(arguments: String) async throws {
    let process = try await start("--for '100 s' " + arguments)
    let ran = try await KelvinBinary.run(
      [
        "measure", "--board", "simulated", "--for", "1 s", "--format", "json", "-o", "out.json"
      ], in: scratch.path)
    #expect(ran.code == 0, "\(ran.both)")
    let out = try #require(
      try JSONSerialization.jsonObject(with: Data(scratch.read("out.json").utf8))
        as? [String: Any])
    let runs = try #require(out["runs"] as? [[String: Any]], "\(out)")
    let sites = try #require(runs.first?["sites"] as? [[String: Any]], "\(runs)")
    let energy = try #require(sites.first?["energy"] as? Double, "\(sites)")
    // The window may be off by some milliseconds, at up to 0.75 W.
    #expect(abs(energy - 0.5) < 0.05, "\(energy) J")
    try await process.end()
    #expect(try scratch.read("log").contains("channel 1: 5.0 V"))
  }

  @Test func whatCameBeforeItHungUpIsKept() async throws {
    let process = try await start("--for '100 s' --fault cut --after 50")
    let ran = try await KelvinBinary.run(
      [
        "meter", "record", "simulated-psu", "--board", "simulated", "-d", "out", "--for", "1 s"
      ], in: scratch.path)
    #expect(ran.both.contains("150 samples of 3 channels"), "\(ran.both)")
    #expect(ran.both.contains("simulated-psu: 127.0.0.1:"), "\(ran.both)")
    try await process.end()
  }

  @Test(arguments: ["--profile none"])
  func refusesWhatItCannotBe(arguments: String) async throws {
    let ran = try await KelvinBinary.run(
      ["simulate", "scpi"] + arguments.split(separator: " ").map(String.init), in: scratch.path)
    #expect(ran.code == 2, "\(ran.both)")
  }
}
