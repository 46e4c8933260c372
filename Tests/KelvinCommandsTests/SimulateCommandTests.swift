import Glibc
import KelvinConnections
import KelvinModel
import Testing

/// `kelvin simulate relay|plug` and `kelvin power`, as a user without hardware tries them.
@Suite(.timeLimit(.minutes(2)))
struct SimulateCommandTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func start(_ arguments: String) async throws -> SimulatorProcess {
    try await SimulatorProcess(arguments, in: scratch, until: "power:")
  }

  private func run(_ arguments: String...) async throws -> Ran {
    try await KelvinBinary.run(arguments, in: scratch.path)
  }

  @Test(arguments: [
    ("relay", "relay 1", SIGINT), ("relay --model devantech", "relay 1", SIGTERM),
    ("relay --model lcus-silent", "relay 1", SIGINT), ("plug", "output 1", SIGTERM),
    ("plug --model shelly1 --outputs 2", "output 0", SIGINT),
    ("plug --model shelly2", "output 0", SIGINT)
  ])
  func isSwitchedByKelvinPower(arguments: String, part: String, signal: Int32) async throws {
    let process = try await start(arguments + " --for 100")
    let silent = arguments.contains("silent")
    for (verb, state) in [("on", "on"), ("cycle", "on"), ("off", "off")] {
      let ran = try await KelvinBinary.run(
        ["power", verb, "simulated"] + (verb == "cycle" ? ["--off-for", "0.05 s"] : []),
        in: scratch.path)
      #expect(ran.code == 0, "\(ran.both)")
      #expect(ran.output.hasPrefix("simulated: \(state) ("), "\(ran.both)")
      let told = try await run("power", "state", "simulated")
      #expect(told.output.hasPrefix("simulated: \(silent ? "unknown" : state) ("), "\(told.both)")
    }
    let log = try scratch.read("log").split(separator: "\n")
    #expect(log == ["on", "off", "on", "off"].map { "\(part): \($0)" })
    try await process.end(by: signal)
    #expect(try await run("power", "on", "simulated").code != 0)
  }

  @Test func endsByItself() async throws {
    let process = try await start("plug --for 0.2")
    try await process.end(by: 0)
    for arguments in ["relay --for 0", "plug --outputs 0", "plug --model bulb"] {
      let words = ["simulate"] + arguments.split(separator: " ").map(String.init)
      #expect(try await KelvinBinary.run(words, in: scratch.path).code == 2, "\(arguments)")
    }
  }

  @Test func aLinkStaysTheSame() async throws {
    // What an earlier one left.
    try #require(symlink("/dev/pts/no-such", scratch.path + "/relay") == 0)
    let process = try await start("relay --link relay --for 100")
    #expect(try scratch.read("bench.yaml").contains("path: '\(scratch.path)/relay'"))
    let ran = try await run("power", "on", "simulated")
    #expect(ran.code == 0, "\(ran.both)")
    try await process.end()
    #expect(!scratch.exists("relay"))
    // What is no link is left alone.
    try scratch.write("file", "mine")
    let refused = try await run("simulate", "relay", "--link", "file", "--for", "10")
    #expect(refused.code == 2, "\(refused.both)")
    #expect(try scratch.read("file") == "mine")
  }

  @Test func aPortThatIsTakenIsSaid() async throws {
    let process = try await start("plug --for 100")
    let line = try scratch.read("bench.yaml").split(separator: "port: ").last ?? ""
    let port = String(line.prefix { $0.isNumber })
    let refused = try await run("simulate", "plug", "--port", port, "--for", "10")
    #expect(refused.code == 3, "\(refused.both)")
    try await process.end()
  }
}
