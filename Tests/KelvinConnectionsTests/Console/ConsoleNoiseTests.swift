import Glibc
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// Commands over lines that lose, double, change and add bytes.
@Suite(.timeLimit(.minutes(60)), .serialized)
struct ConsoleNoiseTests {
  /// What KELVIN_LONG_TESTS says: a number of commands, or anything for all of them.
  private static let long = getenv("KELVIN_LONG_TESTS").map { String(cString: $0) }
  private static let isLong = long != nil
  private static let longCount = long.flatMap { Int($0) }.flatMap { $0 > 1 ? $0 : nil } ?? 10_000
  /// Several processes with different seeds share the work.
  private static let seed =
    getenv("KELVIN_TEST_SEED").flatMap { UInt64(String(cString: $0)) } ?? 11

  /// What the issue asks for: 100 foreign lines a second anywhere, one byte of a thousand lost each
  /// way. 10,000 commands with KELVIN_LONG_TESTS, some hundred without.
  @Test(arguments: LineShell.Kind.allCases)
  func noCommandIsWrongOrRunsTwiceOrHangsUnderNoiseAndLoss(kind: LineShell.Kind) throws {
    let faults = LineFaults(lost: 0.001, doubled: 0.0002, noisePerSecond: 100, seed: Self.seed)
    try run(Self.isLong ? Self.longCount : 80, kind, faults)
  }

  @Test func noCommandIsWrongWhenBitsChange() throws {
    let faults = LineFaults(changed: 0.0005, noisePerSecond: 20, seed: 12)
    try run(Self.isLong ? 2000 : 40, .busybox, faults)
  }

  /// At a real line's speed, where noise takes a fifth of it.
  @Test func noCommandIsWrongOnASlowLineFullOfNoise() throws {
    let faults = LineFaults(
      lost: 0.0005, noisePerSecond: 40, bitsPerSecond: 115_200, seed: 13)
    try run(Self.isLong ? 1000 : 25, .dash, faults)
  }

  private func run(_ count: Int, _ kind: LineShell.Kind, _ faults: LineFaults) throws {
    var generator = SeededGenerator(seed: faults.seed)
    let shell = try LineShell(kind, faults)
    let channel = try shell.channel(seconds: 120)
    let log = shell.scratch.path + "/ran"
    var slowest: Int64 = 0
    for number in 1...count {
      let size = generator.chance(0.1) ? 1500 : Int.random(in: 0...200, using: &generator)
      let output = generator.bytes(size)
      let error = generator.bytes(generator.chance(0.3) ? 20 : 0)
      let status = Int32.random(in: 0...125, using: &generator)
      // The script itself says what it prints, so that a reply of another command would show.
      func octal(_ bytes: [UInt8]) -> String {
        bytes.map { "\\0" + String(String(0o1000 + Int($0), radix: 8).dropFirst()) }.joined()
      }
      let input = generator.chance(0.5)
      let script =
        "echo \(number) >>\(log); "
        + (input ? "cat" : "printf '%b' '\(octal(output))'")
        + "; printf '%b' '\(octal(error))' >&2; exit \(status)"
      let began = MonotonicTime.now
      let reply = try channel.run(
        script, input: input ? output : nil, until: .after(seconds: 60))
      slowest = max(slowest, MonotonicTime.now - began)
      #expect(reply == ConsoleReply(status: status, output: output, error: error), "\(number)")
    }
    // Each ran, and each once.
    let ran = try shell.scratch.read("ran")
    #expect(ran == Array((1...count).map { "\($0)\n" }.joined().utf8))
    print("\(kind), seed \(faults.seed): slowest \(slowest / 1_000_000) ms; \(channel.counts)")
  }
}
