import Foundation
import Glibc
import KelvinConnections
import KelvinModel
import Testing

@testable import KelvinCommands

/// `kelvin simulate fastboot` as a process of its own, judged by Debian's fastboot and used by
/// `kelvin target`, with a bench file.
@Suite(.timeLimit(.minutes(5)))
struct FastbootToolTests {
  static let hasTool = access("/usr/bin/fastboot", X_OK) == 0
  enum Wire: String, CaseIterable { case tcp, udp }

  /// A simulator, and the bench that it is on.
  private final class Board {
    let scratch: Scratch
    let wire: Wire
    let process = Process()
    private(set) var port = 0
    var serial: String { "\(wire.rawValue):127.0.0.1:\(port)" }

    init(_ wire: Wire, _ options: [String] = []) throws {
      self.wire = wire
      scratch = try Scratch()
      process.executableURL = URL(fileURLWithPath: KelvinBinary.path)
      process.arguments =
        [
          "simulate", "fastboot", "--\(wire.rawValue)", "0", "--directory", scratch.path + "/parts",
          "--for", "200 s", "--partition", "system=32MiB", "--partition", "boot_a=1MiB",
          "--partition", "boot_b=1MiB", "--partition", "bad=16MiB", "--max-download", "8 MiB",
          "--away", "0.3 s", "--fault", "fail=bad"
        ] + options
      // What it says, read as it grows.
      let path = scratch.path + "/log"
      let log = try FileHandle(forWritingTo: URL(fileURLWithPath: try scratch.write("log", "")))
      process.standardOutput = log
      try process.run()
      try log.close()
      // `tcp 127.0.0.1:41234, partitions in ...`
      let line = try #require(
        Self.wait(seconds: 20) {
          let text = try? String(contentsOfFile: path, encoding: .utf8)
          return text?.contains("\n") == true ? text : nil
        })
      port = try #require(Int(line.drop { $0 != ":" }.dropFirst().prefix { $0.isNumber }))
      try scratch.write(
        "bench.yaml",
        """
        boards:
          rock:
            profile: generic-linux
            connection: {ssh: {host: 192.0.2.1}}
            bootloader: {fastboot: {\(wire.rawValue): '127.0.0.1:\(port)'}}
        """)
    }

    deinit {
      process.terminate()
      process.waitUntilExit()
    }

    /// Looks again until there is something.
    private static func wait<Result>(seconds: Double, for find: () -> Result?) -> Result? {
      let deadline = Deadline.after(seconds: seconds)
      while !deadline.hasPassed {
        if let found = find() { return found }
        usleep(5000)
      }
      return nil
    }

    /// Waits until the simulator has said a line.
    func says(_ line: String, seconds: Double) -> Bool {
      Self.wait(seconds: seconds) {
        (try? scratch.read("log"))?.split(separator: "\n").contains(Substring(line)) == true
          ? true : nil
      } != nil
    }

    /// Debian's tool, which would wait without end for a board that is not there.
    func fastboot(_ words: String...) async throws -> Ran {
      let process = try await LocalConnection().start(
        Command(["timeout", "60", "/usr/bin/fastboot", "-s", serial] + words),
        until: .after(seconds: 5))
      return Ran(try await process.wait(until: .after(seconds: 70)))
    }

    func kelvin(_ words: String...) async throws -> Ran {
      try await KelvinBinary.run(["target"] + words, in: scratch.path, seconds: 90)
    }

    /// SHA-256 of the beginning of a partition.
    func sha(_ partition: String, count: Int) throws -> String {
      let file = try FileHandle(
        forReadingFrom: URL(fileURLWithPath: "\(scratch.path)/parts/\(partition).img"))
      defer { try? file.close() }
      return Checksum.sha256(Array(try file.read(upToCount: count) ?? Data()))
    }

    /// An image without repetitions but for a hole of zeros.
    func image(_ count: Int, _ name: String = "image") throws -> (path: String, sha: String) {
      var state: UInt64 = 0x1234_5678_9abc_def1
      var bytes = [UInt8]()
      bytes.reserveCapacity(count)
      for _ in 0..<(1 << 17) {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        withUnsafeBytes(of: state) { bytes.append(contentsOf: $0) }
      }
      let base = bytes
      while bytes.count < count {
        bytes += base[..<min(base.count, count - bytes.count)]
        bytes[bytes.count - min(base.count, 1000)] ^= UInt8(truncatingIfNeeded: bytes.count >> 20)
      }
      bytes.removeLast(bytes.count - count)
      if count > 4 << 20 {
        bytes.replaceSubrange(3_000_000..<4_000_000, with: [UInt8](repeating: 0, count: 1_000_000))
      }
      let path = "\(scratch.path)/\(name)"
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      return (path, Checksum.sha256(bytes))
    }
  }

  private func size(_ wire: Wire) -> Int { wire == .tcp ? 32 << 20 : 10 << 20 }

  @Test(.enabled(if: hasTool, "needs Debian's fastboot"), arguments: Wire.allCases)
  func debiansToolFlashesIt(wire: Wire) async throws {
    let board = try Board(wire)
    let image = try board.image(size(wire))
    let ran = try await board.fastboot("flash", "system", image.path)
    #expect(ran.code == 0, "\(ran.both)")
    #expect(ran.errors.contains("Sending sparse 'system' 1/"))
    #expect(try board.sha("system", count: size(wire)) == image.sha)
    let failed = try await board.fastboot("flash", "bad", image.path)
    #expect(failed.code == 1)
    #expect(failed.errors.contains("FAILED (remote: 'flash write error')"), "\(failed.errors)")
    let erased = try await board.fastboot("erase", "system")
    #expect(erased.code == 0, "\(erased.both)")
    #expect(
      try board.sha("system", count: 1 << 20)
        == Checksum.sha256([UInt8](repeating: 0, count: 1 << 20)))
    let said = try await board.fastboot("oem", "say", "hello")
    #expect(said.errors.contains("(bootloader) hello"), "\(said.errors)")
  }

  @Test(arguments: Wire.allCases) func weFlashIt(wire: Wire) async throws {
    let board = try Board(wire)
    let image = try board.image(size(wire))
    let ran = try await board.kelvin("flash", "rock", "system", image.path, "--format", "json")
    #expect(ran.code == 0, "\(ran.both)")
    #expect(ran.output.contains("\"parts\":\(wire == .tcp ? 4 : 2),"), "\(ran.output)")
    #expect(try board.sha("system", count: size(wire)) == image.sha)
    let small = try board.image(500_000, "small")
    let boot = try await board.kelvin("flash", "rock", "boot", small.path, "--slot", "b")
    #expect(boot.output.hasPrefix("rock: boot_b: 488.3 KiB ("), "\(boot.both)")
    #expect(try board.sha("boot_b", count: 500_000) == small.sha)
    let failed = try await board.kelvin("flash", "rock", "bad", image.path)
    #expect(failed.code == 3)
    #expect(failed.errors.contains("'flash:bad' was refused: flash write error"))
    #expect(failed.errors.contains("it had said: flash bad"))
  }

  @Test(.enabled(if: hasTool, "needs Debian's fastboot"), arguments: Wire.allCases)
  func debiansToolAndWeAgree(wire: Wire) async throws {
    let board = try Board(wire)
    let their = try await board.fastboot("getvar", "all")
    let ours = try await board.kelvin("fastboot", "rock", "getvar", "all")
    #expect(ours.code == 0, "\(ours.both)")
    let lines = their.errors.split(separator: "\n").compactMap { line -> String? in
      guard line.hasPrefix("(bootloader) ") else { return nil }
      let text = line.dropFirst(13)
      guard let colon = text.lastIndex(of: ":") else { return nil }
      return "\(text[..<colon]): \(text[text.index(after: colon)...])"
    }
    #expect(lines.count > 15)
    #expect(ours.output.split(separator: "\n").map(String.init) == lines)
    let value = try await board.kelvin(
      "fastboot", "rock", "getvar", "max-download-size", "--format", "json")
    #expect(
      value.output
        == "{\"board\":\"rock\",\"name\":\"max-download-size\",\"value\":\"0x800000\"}\n")
    // Debian's tool exits with 0 here.
    let unknown = try await board.kelvin("fastboot", "rock", "getvar", "nope")
    #expect(unknown.code == 3)
    #expect(unknown.errors.contains("'getvar:nope' was refused: Unknown variable"))
  }

  @Test(arguments: Wire.allCases) func weOrderIt(wire: Wire) async throws {
    let board = try Board(wire)
    #expect(try await board.kelvin("fastboot", "rock", "set-active", "b").code == 0)
    #expect(
      try await board.kelvin("fastboot", "rock", "getvar", "current-slot").output == "b\n")
    #expect(
      try await board.kelvin("fastboot", "rock", "erase", "boot").output == "boot_b: erased\n")
    #expect(
      try await board.kelvin("fastboot", "rock", "oem", "say", "good", "day").errors
        == "bootloader: good day\nbootloader: 8 letters\n")
    #expect(try await board.kelvin("fastboot", "rock", "oem", "stage", "5000").code == 0)
    let up = try await board.kelvin("fastboot", "rock", "upload", "up.bin")
    #expect(up.output == "up.bin: 4.9 KiB\n", "\(up.both)")
    #expect(try await board.kelvin("fastboot", "rock", "reboot", "bootloader").code == 0)
    // Away for a moment; waited for.
    let back = try await board.kelvin("fastboot", "rock", "getvar", "version", "--wait", "20 s")
    #expect(back.output == "0.4\n", "\(back.both)")
    #expect(try await board.kelvin("fastboot", "rock", "continue").code == 0)
  }

  @Test(
    arguments: [
      (["flash", "rock", "system", "missing.img"], 2, "missing.img: No such file"),
      (["flash", "rock", "system", "bench.yaml", "--max-download", "x"], 2, "a size such as"),
      (
        ["flash", "rok", "system", "bench.yaml"], 2,
        "no board 'rok' on this bench; did you mean 'rock'?"
      ),
      (["flash", "bare", "system", "bench.yaml"], 2, "board 'bare' has no 'bootloader'"),
      (["fastboot", "rock", "getvar"], 2, "getvar: expected one word"),
      (["fastboot", "rock", "reboot", "system"], 2, "'bootloader' or nothing may follow"),
      (["fastboot", "rock", "fly"], 2, "fly"),
      (["fastboot", "rock", "getvar", "all", "--wait", "0"], 3, "nothing listens there")
    ] as [([String], Int32, String)])
  func saysWhatIsWrong(words: [String], code: Int32, text: String) async throws {
    let scratch = try Scratch()
    try scratch.write(
      "bench.yaml",
      """
      boards:
        rock: {profile: generic-linux, bootloader: {fastboot: {tcp: '127.0.0.1:1'}}}
        bare: {profile: generic-linux, connection: local}
      """)
    let ran = try await KelvinBinary.run(["target"] + words, in: scratch.path)
    #expect(ran.code == code, "\(ran.both)")
    #expect(ran.errors.contains(text), "\(ran.errors)")
  }

  @Test func aCheckAsksTheBootloader() async throws {
    let board = try Board(.tcp)
    let line = "      bootloader: {fastboot: {tcp: '127.0.0.1:\(board.port)'}}"
    try board.scratch.write(
      "check.yaml",
      """
      boards:
        rock:
          profile: generic-linux
      \(line.dropFirst(2))
        gone: {profile: generic-linux, connection: {fastboot: {tcp: '127.0.0.1:1'}}}
      """)
    let ran = try await KelvinBinary.run(
      ["bench", "check", "--bench", "check.yaml"], in: board.scratch.path)
    #expect(ran.output.contains("answers (fastboot): 'kelvin-simulated'"), "\(ran.both)")
    #expect(ran.output.contains("not in its boot loader now"), "\(ran.both)")
    #expect(ran.code == 0)
  }

  @Test func aBoardThatIsKeptIsLeftAlone() async throws {
    let board = try Board(.tcp)
    let kept = try await KelvinBinary.run(
      ["bench", "reserve", "rock", "--for", "1h"], in: board.scratch.path,
      environment: ["KELVIN_USER": "anna"])
    #expect(kept.code == 0, "\(kept.both)")
    let ran = try await KelvinBinary.run(
      ["target", "fastboot", "rock", "reboot"], in: board.scratch.path,
      environment: ["KELVIN_USER": "ben"])
    #expect(ran.code == 3, "\(ran.both)")
    #expect(ran.errors.contains("anna"), "\(ran.errors)")
  }

  /// A board that does not answer, and a person who has had enough.
  @Test func aSignalEndsAFlash() async throws {
    let board = try Board(.tcp, ["--fault", "stall=flash"])
    let image = try board.image(100_000)
    let process = try await KelvinBinary.start(
      ["target", "flash", "rock", "system", image.path], in: board.scratch.path)
    #expect(board.says("flash:system", seconds: 60))
    let start = MonotonicTime.now
    try await process.signal(SIGINT)
    let ran = Ran(try await process.wait(until: .after(seconds: 60)))
    #expect(ran.code == 130, "\(ran.both)")
    #expect(ran.errors.contains("interrupted while waiting for its reply ('flash:system')"))
    #expect(MonotonicTime.now - start < 10_000_000_000)
    // Given back.
    let who = try await KelvinBinary.run(["bench", "who"], in: board.scratch.path)
    #expect(!who.output.contains("kelvin target"), "\(who.both)")
  }

  /// 200 MB go through a process that may have 96 MB of data.
  @Test func anImageIsNeverWholeInMemory() async throws {
    let board = try Board(.tcp, ["--partition", "large=200MiB", "--max-download", "256 MiB"])
    let path = board.scratch.path + "/large"
    let descriptor = creat(path, 0o600)
    #expect(descriptor >= 0 && ftruncate(descriptor, 200 << 20) == 0)
    close(descriptor)
    let command = "ulimit -d 98304; exec \(KelvinBinary.path) target flash rock large \(path)"
    let process = try await LocalConnection().start(
      Command(
        ["bash", "-c", command], environment: ["KELVIN_STATE": board.scratch.path + "/.state"],
        workingDirectory: TargetPath(board.scratch.path)), until: .after(seconds: 5))
    let ran = Ran(try await process.wait(until: .after(seconds: 120)))
    #expect(ran.code == 0, "\(ran.both)")
    #expect(ran.output.hasPrefix("rock: large: 200.0 MiB ("), "\(ran.output)")
  }

  @Test func twoBoardsDoNotShareABootloader() async throws {
    let scratch = try Scratch()
    try scratch.write(
      "bench.yaml",
      """
      boards:
        a: {profile: generic-linux, bootloader: {fastboot: {tcp: 'h:1'}}}
        b: {profile: generic-linux, connection: {fastboot: {tcp: 'h:1'}}}
      """)
    let ran = try await KelvinBinary.run(
      ["target", "fastboot", "a", "getvar", "all"], in: scratch.path)
    #expect(ran.code == 2)
    #expect(ran.errors.contains("boards 'a' and 'b' claim the same"), "\(ran.errors)")
  }

  @Test func showsHowFarAFlashIs() {
    let progress = FastbootProgress(
      stage: .sending, part: 2, parts: 5, sent: 15 << 20, total: 32 << 20)
    #expect(
      FlashPrinter.line(progress, "system", nanoseconds: 500_000_000, columns: 80)
        == "system: sending part 2 of 5  46 %  30.0 MiB/s")
    #expect(
      FlashPrinter.line(progress, "system", nanoseconds: 0, columns: 20) == "system: sending par")
  }
}
