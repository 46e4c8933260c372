import Foundation
import Glibc
import Testing

/// `kelvin bench check` and `kelvin power` on real boards of the virtual bench.
@Suite(.serialized, .needsGuests, .guest("x86-a"), .timeLimit(.minutes(5)))
struct BenchCheckTests {
  let bench: KelvinBench
  let board: VirtualGuest

  init() throws {
    board = try #require(VirtualGuest.current)
    bench = try KelvinBench()
  }

  private func entry(_ more: String = "", name: String = "rock") -> String {
    """
    boards:
      \(name):
        profile: virtual-x86
        console: {socket: \(board.folder)/console.sock}
        power: {qmp: \(board.folder)/qmp.sock}
    \(more)
    """
  }

  @Test func provesABoardAndBringsItBackAfterACut() throws {
    let bootID = try board.run("cat /proc/sys/kernel/random/boot_id")
    let done = try bench.kelvin(["bench", "check", "--switch"], bench: entry())
    #expect(done.code == 0, "\(done.output)\(done.error)")
    #expect(done.output.contains("console: opens (socket); a login prompt seen"))
    #expect(done.output.contains("power: answers (qmp): on, measured"))
    #expect(done.output.contains("switching: off (measured) and on (measured) again"))
    #expect(done.output.contains("3 ok, 0 failed, 0 skipped"))
    #expect(try board.run("cat /proc/sys/kernel/random/boot_id") != bootID)
  }

  @Test func saysWhatFailsAndWhatToDo() throws {
    let text = """
      boards:
        gone:
          profile: virtual-x86
          connection: {ssh: {host: 127.0.0.1, port: 1}}
          console: {socket: \(board.folder)/nothing.sock}
          power: {qmp: \(board.folder)/nothing-either.sock}
        silent:
          profile: virtual-uboot
          console: {socket: \(board.folder)/console.sock}
      """
    let done = try bench.kelvin(
      ["bench", "check", "--timeout", "2", "--format", "json"], bench: text)
    #expect(done.code == 1)
    let steps = try JSONDecoder().decode([Step].self, from: Data(done.output.utf8))
    #expect(steps.count == 4 && steps.prefix(3).allSatisfy { $0.result == "failed" })
    #expect(steps[0].detail.contains("refused"))
    #expect(steps[1].detail.contains("nothing.sock"))
    #expect(steps[2].detail.contains("nothing-either.sock"))
  }

  @Test func bringsABoardBackFromQuarantineWhenItPasses() throws {
    // Nothing quarantines yet but the database itself: a board that was disabled by hand stays out.
    let text = entry(name: "kept")
    #expect(
      try bench.kelvin(["bench", "disable", "kept", "--reason", "mine"], bench: text).code == 0)
    let done = try bench.kelvin(["bench", "check"], bench: text)
    #expect(done.code == 0 && done.output.contains("stays disabled: mine"), "\(done.output)")
    #expect(try bench.kelvin(["bench", "enable", "kept"], bench: text).code == 0)
    #expect(try !bench.kelvin(["bench", "check"], bench: text).output.contains("disabled"))
  }

  @Test func switchesABoardOffAndOn() throws {
    let text = entry()
    #expect(
      try bench.kelvin(["power", "off", "rock"], bench: text).output == "rock: off (measured)\n")
    #expect(try bench.kelvin(["power", "state", "rock"], bench: text).output.contains("off"))
    let seen = board.consoleLog().components(separatedBy: " login: ").count
    #expect(
      try bench.kelvin(["power", "on", "rock"], bench: text).output == "rock: on (measured)\n")
    try VirtualGuest.wait("a login after the power came back") {
      board.consoleLog().components(separatedBy: " login: ").count > seen
    }
  }

  private struct Step: Decodable {
    let subject: String
    let part: String
    let result: String
    let detail: String
  }
}

/// Runs the built kelvin with state and owner of its own.
final class KelvinBench {
  let directory: String

  init() throws {
    directory = NSTemporaryDirectory() + "kelvin-bench-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  deinit {
    _ = try? kelvin(["bench", "down", "--force"], bench: nil)
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// - Parameter text: the bench file; nil for commands that take none.
  func kelvin(_ arguments: [String], bench text: String?) throws -> VirtualGuest.Done {
    try VirtualGuest.program(
      binary, try words(arguments, text), environment: environment)
  }

  /// Starts it in the background.
  func start(_ arguments: [String], bench text: String?) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: binary)
    process.arguments = try words(arguments, text)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    return process
  }

  private var binary: String { VirtualGuest.root + "/.build/debug/kelvin" }
  private var environment: [String: String] {
    ["KELVIN_STATE": directory, "XDG_STATE_HOME": directory, "XDG_RUNTIME_DIR": directory]
  }

  private func words(_ arguments: [String], _ text: String?) throws -> [String] {
    guard let text else { return arguments }
    let path = directory + "/bench.yaml"
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    // What follows -- is another command's.
    let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
    return arguments[..<end] + ["--bench", path] + arguments[end...]
  }
}
