import Foundation
import Glibc
import KelvinConnections
import KelvinModel
import Testing

/// `kelvin simulate usb-tester`, and what a user without hardware does with it.
@Suite(.timeLimit(.minutes(2)))
struct SimulateUSBTesterTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func run(_ arguments: [String]) async throws -> Ran {
    try await KelvinBinary.run(arguments, in: scratch.path)
  }

  /// One that is asked; two seconds are a whole period of what passes through it.
  @Test func energyIsTheTruth() async throws {
    let process = try await SimulatorProcess(
      "usb-tester --for '100 s'", in: scratch, until: "driver: tc66,")
    let ran = try await run([
      "measure", "--board", "simulated", "--for", "2 s", "--format", "json", "-o", "out.json"
    ])
    #expect(ran.code == 0, "\(ran.both)")
    let out = try #require(
      try JSONSerialization.jsonObject(with: Data(scratch.read("out.json").utf8))
        as? [String: Any])
    let runs = try #require(out["runs"] as? [[String: Any]], "\(out)")
    let sites = try #require(runs.first?["sites"] as? [[String: Any]], "\(runs)")
    #expect(sites.map { $0["site"] as? String } == ["usb"], "\(sites)")
    let energy = try #require(sites.first?["energy"] as? Double, "\(sites)")
    // The window is some milliseconds longer than it should, and what is drawn then up to 4.1 W.
    #expect(abs(energy - 2 * 2.53525) < 0.3, "\(energy) J")
    #expect(try scratch.read("out.json").contains("simulator only"))
    try await process.end()
    #expect(try scratch.read("log").contains("said "))
  }

  @Test(arguments: [("um24c", "um25c"), ("um34c", "um25c"), ("yzxstudio", "yzxstudio")])
  func itsBenchFileMeansIt(model: String, driver: String) async throws {
    let process = try await SimulatorProcess(
      "usb-tester --model \(model) --for '100 s'", in: scratch, until: "driver: \(driver),")
    let ran = try await run(["meter", "info", "simulated-usb-tester", "--board", "simulated"])
    #expect(ran.code == 0 && ran.both.contains("current"), "\(ran.both)")
    try await process.end(by: SIGTERM)
  }

  /// What the bench file does not say is refused before anything is opened.
  @Test func aTesterMustBeNamed() async throws {
    try scratch.write(
      "bench.yaml",
      "boards: {b: {profile: generic-linux, connection: {local: {}}, meters: [t]}}\n"
        + "meters: {t: {driver: tc66}}\n")
    let ran = try await run(["meter", "info", "t", "--bench", "bench.yaml"])
    #expect(ran.code == 2 && ran.both.contains("path") && ran.both.contains("match"), "\(ran.both)")
  }

  @Test(arguments: [
    ("--fault byte-loss-192", "--fault:"), ("--answers odd", "--answers:"),
    ("--model um99", "--model:"), ("--after -1", "--after")
  ])
  func mistakesAreTold(arguments: String, what: String) async throws {
    let ran = try await run(
      ["simulate", "usb-tester"] + arguments.split(separator: " ").map(String.init))
    #expect(ran.code != 0 && ran.errors.contains(what), "\(ran.both)")
  }
}
