import Foundation
import Glibc
import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

/// `kelvin simulate monsoon` and its kin, whose programs need another kernel than this one: what they are told, and the bench file that means them.
@Suite(.timeLimit(.minutes(1)))
struct SimulateGadgetTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// In the place of the program: tells what it was told.
  private func run(_ words: [String]) async throws -> Ran {
    try scratch.write("raw-gadget", "#!/bin/sh\necho \"told $*\"\n")
    try #require(chmod(scratch.path + "/raw-gadget", 0o755) == 0)
    return try await KelvinBinary.run(
      ["simulate"] + words, in: scratch.path, environment: ["KELVIN_GADGETS": scratch.path])
  }

  @Test(arguments: [
    (
      ["power-z", "--model", "km002c", "--with", "lose=3:1"],
      "km002c --speed full --serial SIMULATED --udc dummy_udc.0 --with lose=3:1", "km003c"
    ),
    (
      ["monsoon", "--with", "flat", "--udc", "dummy_udc.1"],
      "monsoon --speed full --serial SIMULATED --udc dummy_udc.1 --with model=hv,flat", "monsoon"
    ),
    (
      ["fnirsi"], "fnb58 --speed full --serial SIMULATED --udc dummy_udc.0", "fnirsi"
    ),
    (
      ["joulescope", "--with", "rate=20000"],
      "joulescope --speed full --serial SIMULATED --udc dummy_udc.0 --with rate=20000",
      "joulescope-js110"
    )
  ])
  func theProgramIsToldWhatToPlay(words: [String], told: String, driver: String) async throws {
    let ran = try await run(words)
    // What it reports is kept out of the bench file.
    #expect(ran.code == 0 && ran.errors == "told \(told)\n", "\(ran.both)")
    try scratch.write("bench.yaml", ran.output)
    let listed = try await KelvinBinary.run(
      ["meter", "info", "simulated", "--bench", "bench.yaml"], in: scratch.path)
    // It is understood, and not there.
    #expect(listed.code != 0 && listed.both.contains("SIMULATED"), "\(listed.both)")
    #expect(ran.output.contains("driver: \(driver)"))
  }

  /// It ends by what ends programs.
  @Test func aSignalEndsIt() async throws {
    try scratch.write("raw-gadget", "#!/bin/sh\nexec sleep 100\n")
    try #require(chmod(scratch.path + "/raw-gadget", 0o755) == 0)
    for number in [SIGTERM, SIGINT] {
      let process = try await KelvinBinary.start(
        ["simulate", "power-z"], in: scratch.path, environment: ["KELVIN_GADGETS": scratch.path])
      let name = "/proc/\(process.processID)/comm"
      let limit = Deadline.after(seconds: 20)
      while try String(contentsOfFile: name, encoding: .utf8) != "sleep\n", !limit.hasPassed {
        _ = limit.limited(toSeconds: 0.01).wait()
      }
      try await process.signal(number)
      let result = try await process.wait(until: .after(seconds: 20))
      #expect(result.termination == .signaled(number), "\(result)")
    }
  }

  @Test func withoutTheProgramItSaysHowToBuildIt() async throws {
    for command in ["power-z", "monsoon", "fnirsi"] {
      let ran = try await KelvinBinary.run(["simulate", command], in: scratch.path)
      #expect(ran.code != 0 && ran.output.isEmpty, "\(ran.both)")
      #expect(ran.errors.contains(".build/gadgets/raw-gadget") && ran.errors.contains("make -C"))
      let wrong = try await KelvinBinary.run(
        ["simulate", command, "--model", "x"], in: scratch.path)
      #expect(wrong.code == 2)
    }
  }
}
