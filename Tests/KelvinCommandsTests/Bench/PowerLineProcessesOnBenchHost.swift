import Foundation
import Glibc
import KelvinConnections
import KelvinDevices
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

/// `kelvin power` with a GPIO line, command by command: what is left when each is over or killed.
@Suite(
  .serialized, .timeLimit(.minutes(5)),
  .enabled(
    if: SimulatedGPIOChip.exists, "needs the kernel's gpio-sim: runs in the bench host"))
struct PowerLineProcessesOnBenchHost {
  private let scratch: Scratch
  private let chip: SimulatedGPIOChip
  private var level: String? { chip.value(2) }

  init() throws {
    scratch = try Scratch()
    chip = try SimulatedGPIOChip()
    let text = """
      boards:
        rock:
          profile: generic-linux
          connection: local
          power: {gpio: {chip: \(chip.label), line: power-en}}

      """
    try text.write(toFile: scratch.path + "/bench.yaml", atomically: true, encoding: .utf8)
    for name in ["run", "state"] { mkdir(scratch.path + "/" + name, 0o700) }
  }

  private var environment: [String: String] {
    [
      "XDG_RUNTIME_DIR": scratch.path + "/run", "XDG_STATE_HOME": scratch.path + "/state",
      "KELVIN_STATE": scratch.path + "/state"
    ]
  }

  @discardableResult
  private func kelvin(_ words: String...) async throws -> Ran {
    try await KelvinBinary.run(words, in: scratch.path, environment: environment, seconds: 240)
  }

  /// The owner that runs, and the lines that it holds.
  private func held() async throws -> (owner: ProcessIdentity?, lines: [Value]) {
    let ran = try await kelvin("bench", "up", "--format", "json")
    let values = Value(json: ran.output)?.map ?? [:]
    let processID = values["pid"]?.integer.flatMap(Int32.init(exactly:)) ?? -1
    return (ProcessIdentity(processID: processID), values["lines"]?.list ?? [])
  }

  @Test func aLevelOutlivesEveryCommandAndEndsWithItsOwner() async throws {
    let on = try await kelvin("power", "on", "rock")
    #expect(on.code == 0 && on.output.contains("rock: on (commanded)"), "\(on.both)")
    #expect(!on.errors.contains("only sure to keep its level"), "\(on.errors)")
    #expect(level == "1")
    #expect(try await kelvin("power", "state", "rock").output.contains("rock: on (commanded)"))
    let (owner, lines) = try await held()
    #expect(lines.map { $0.map?["name"] } == ["rock.power"])
    #expect(lines.first?.map?["drivers"] == ["rock.power": true])

    // Refused while it powers something.
    let refused = try await kelvin("bench", "down")
    #expect(refused.code != 0 && refused.errors.contains("'rock.power' powers a board"))
    #expect(level == "1" && owner?.isAlive == true)

    // A command that is killed while the board is off leaves it off: nobody raises it by himself.
    let cycle = try await KelvinBinary.start(
      ["power", "cycle", "rock", "--off-for", "200 s", "--timeout", "230 s"], in: scratch.path,
      environment: environment)
    #expect(eventually(seconds: 120) { level == "0" })
    try await cycle.signal(SIGKILL)
    _ = try await cycle.wait(until: .after(seconds: 60))
    #expect(try await kelvin("power", "state", "rock").output.contains("rock: off (commanded)"))
    #expect(owner?.isAlive == true)

    // A killed owner lets go: gpio-sim drops the level, and the next owner sets nothing by itself.
    #expect(try await kelvin("power", "on", "rock", "--take-over").code == 0)
    #expect(level == "1")
    let killed = try #require(owner)
    kill(killed.processID, SIGKILL)
    #expect(waitForEnd(of: killed, seconds: 60))
    let next = try await held()
    #expect(next.lines.isEmpty && next.owner != killed)
    #expect(level == "0")
    #expect(try await kelvin("power", "state", "rock").output.contains("rock: off (commanded)"))

    // Switched off, it is let go without force.
    #expect(try await kelvin("power", "on", "rock").code == 0)
    #expect(level == "1")
    #expect(try await kelvin("power", "off", "rock").code == 0)
    let down = try await kelvin("bench", "down")
    #expect(down.code == 0 && down.output.contains("closed rock.power"), "\(down.both)")
  }

  @Test func withoutAnOwnerItWarnsAndSwitches() async throws {
    // Nobody can listen there.
    #expect(symlink("/tmp", scratch.path + "/run/kelvin") == 0)
    let on = try await kelvin("power", "on", "rock")
    #expect(on.code == 0, "\(on.both)")
    #expect(on.errors.contains("no owner of ports holds the line"), "\(on.errors)")
    #expect(on.errors.contains("only sure to keep its level"), "\(on.errors)")
  }
}
