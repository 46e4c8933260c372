import Glibc
import KelvinModel
import KelvinSimulators
import Synchronization
import Testing

@testable import KelvinConnections

/// U-Boot's command line on lines that lose, double and change bytes, and carry what others say.
@Suite(.serialized, .needsUBoot, .timeLimit(.minutes(15)))
struct UBootNoiseTests {
  /// Commands of each kind of line; KELVIN_LONG_TESTS makes it 500.
  private static let count = getenv("KELVIN_LONG_TESTS") != nil ? 500 : 25

  @Test(arguments: [
    LineFaults(noisePerSecond: 20, seed: 31), LineFaults(lost: 0.001, seed: 32),
    LineFaults(lost: 0.001, doubled: 0.001, changed: 0.001, noisePerSecond: 10, seed: 33),
    LineFaults(lost: 0.004, seed: 34), LineFaults(changed: 0.003, seed: 35),
    LineFaults(lost: 0.001, noisePerSecond: 5, bitsPerSecond: 115_200, seed: 36)
  ])
  func runsEachCommandOnceWithItsTrueStatus(faults: LineFaults) throws {
    let board = try UBootBoard()
    let shell = try board.shell()
    // A counter that only the board keeps: how often commands really ran.
    #expect(try shell.run("setenv n 0", until: .after(seconds: 10)).status == 0)
    board.line.faults.withLock { $0 = faults }
    var generator = SeededGenerator(seed: faults.seed)
    var damaged = 0
    for number in 1...Self.count {
      let fails = generator.chance(0.5)
      let words = "m\(generator.next() % 1000)"
      let reply = try shell.run(
        "setexpr n $n + 1; echo \(words); \(fails ? "false" : "true")",
        until: .after(seconds: 120))
      #expect(reply.status == (fails ? 1 : 0), "command \(number)")
      if reply.text != words + "\n" { damaged += 1 }
    }
    board.line.faults.withLock { $0 = LineFaults() }
    // setexpr counts in hexadecimal.
    let counted = try shell.run("echo $n", until: .after(seconds: 30)).text
    #expect(counted == String(Self.count, radix: 16) + "\n")
    print("\(faults): \(shell.retypedLines) lines retyped, \(damaged) outputs damaged")
  }

  @Test(arguments: [
    LineFaults(noisePerSecond: 10, seed: 41), LineFaults(lost: 0.002, seed: 42),
    LineFaults(lost: 0.001, doubled: 0.001, changed: 0.0005, seed: 43)
  ])
  func stopsTheCountdownAndSetsVariables(faults: LineFaults) throws {
    let board = try UBootBoard(faults)
    let shell = try board.shell(seconds: 120)
    #expect(shell.prompt == Array("=> ".utf8))
    let value = Array("it's $5; \\done\nand \"more\"".utf8)
    try shell.set("kelvin_test", to: value, until: .after(seconds: 120))
    #expect(try shell.variable("kelvin_test", until: .after(seconds: 120)) == value)
    try shell.reset(stopsAutoboot: true, until: .after(seconds: 120))
    #expect(try shell.variable("kelvin_test", until: .after(seconds: 120)) == nil)
  }

  @Test func endsACommandInNoise() throws {
    let board = try UBootBoard()
    let shell = try board.shell()
    board.line.faults.withLock { $0 = LineFaults(lost: 0.002, noisePerSecond: 20, seed: 51) }
    let failure = #expect(throws: ConnectionFailure.self) {
      try shell.run("echo before; sleep 1000", until: .after(seconds: 8))
    }
    #expect(failure?.code == .timedOut)
    #expect(try shell.run("false", until: .after(seconds: 60)).status == 1)
  }
}
