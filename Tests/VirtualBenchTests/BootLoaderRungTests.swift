import Foundation
import Glibc
import KelvinModel
import Testing

/// A board whose U-Boot finds nothing to boot, and has to be told: Debian's U-Boot and kernel for arm64,
/// the kernel and its files in memory from the start.
private final class RescuedBoard {
  static let (kernelAddress, initrdAddress) = ("44000000", "48000000")
  let folder: String
  private let process = Process()

  /// What scripts/virtual-bench has made for its guest `arm`; nil when it has not.
  static let images: (kernel: String, initrd: String)? = {
    let home =
      ProcessInfo.processInfo.environment["XDG_CACHE_HOME"] ?? NSHomeDirectory() + "/.cache"
    let cache = home + "/kelvin/virtual-bench"
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: cache)) ?? []).sorted()
    guard let kernel = names.last(where: { $0.hasPrefix("kernel-") && $0.hasSuffix("-arm64") }),
      let initrd = names.last(where: { $0.hasPrefix("arm-board-") && $0.hasSuffix(".cpio") }),
      access("/usr/lib/u-boot/qemu_arm64/u-boot.bin", R_OK) == 0
    else { return nil }
    return ("\(cache)/\(kernel)/vmlinuz", "\(cache)/\(initrd)")
  }()

  init() throws {
    folder = NSTemporaryDirectory() + "kelvin-rescue-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let images = try #require(Self.images)
    let loaders = [(images.kernel, Self.kernelAddress), (images.initrd, Self.initrdAddress)]
      .flatMap { ["-device", "loader,file=\($0.0),addr=0x\($0.1),force-raw=on"] }
    // Ends by itself, whatever happens to the tests.
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments =
      [
        "-k", "5", "900", "/usr/bin/qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57",
        "-accel", "tcg", "-m", "512", "-nodefaults", "-no-user-config", "-display", "none",
        "-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin", "-chardev",
        "socket,id=c,path=\(folder)/console.sock,server=on,wait=off,logfile=\(folder)/console.log",
        "-serial", "chardev:c", "-qmp", "unix:\(folder)/qmp.sock,server=on,wait=off", "-qmp",
        "unix:\(folder)/loop.sock,server=on,wait=off"
      ] + loaders
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try "kelvin".write(toFile: folder + "/password", atomically: true, encoding: .utf8)
    guard chmod(folder + "/password", 0o600) == 0 else { throw CocoaError(.fileWriteNoPermission) }
    try process.run()
    try VirtualGuest.wait("U-Boot says something") { said.contains("U-Boot 20") }
  }

  deinit {
    process.terminate()
    process.waitUntilExit()
    try? FileManager.default.removeItem(atPath: folder)
  }

  var said: String {
    String(
      decoding: FileManager.default.contents(atPath: folder + "/console.log") ?? Data(),
      as: UTF8.self)
  }

  /// U-Boot's command that boots the kernel.
  func bootCommand() throws -> String {
    let path = try #require(Self.images).initrd
    let size = try #require(
      try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
    return
      "booti \(Self.kernelAddress) \(Self.initrdAddress):\(String(size, radix: 16)) $fdtcontroladdr"
  }

  /// A file with root's.
  var password: String { folder + "/password" }

  static let arguments = "setenv bootargs console=ttyAMA0,115200 panic=5 quiet"

  /// A program that has the board start anew again and again, as one whose watchdog bites: each time that
  /// U-Boot has given its name.
  func loopProgram() throws -> String {
    let path = folder + "/loop.py"
    try """
    import json, socket, time
    line = socket.socket(socket.AF_UNIX); line.connect("\(folder)/loop.sock")
    stream = line.makefile("rw")
    def run(name):
        stream.write(json.dumps({"execute": name}) + "\\n"); stream.flush()
        while "return" not in json.loads(stream.readline()): pass
    stream.readline(); run("qmp_capabilities")
    def starts(): return open("\(folder)/console.log", "rb").read().count(b"U-Boot 20")
    for _ in range(4):
        before = starts(); run("system_reset")
        end = time.monotonic() + 60
        while starts() == before and time.monotonic() < end: time.sleep(0.05)
    """.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }
}

extension Trait where Self == ConditionTrait {
  /// Skips, with the reason, where there is no U-Boot or no kernel for it.
  fileprivate static var needsRescuedBoard: ConditionTrait {
    .enabled(
      if: RescuedBoard.images != nil,
      "there is no U-Boot or no kernel for arm64; 'scripts/virtual-bench start arm' makes it")
  }
}

/// The rung `bootloader` on a real U-Boot and a real kernel, over its console alone.
@Suite(.serialized, .needsGuests, .needsRescuedBoard, .timeLimit(.minutes(8)))
struct BootLoaderRungTests {
  @Test func aBoardThatBootsInALoopIsRescuedByItsUBoot() throws {
    let bench = try KelvinBench()
    let board = try RescuedBoard()
    let boot = try board.bootCommand()
    let text = """
      boards:
        rock:
          profile: virtual-arm
          console:
            socket: {path: \(board.folder)/console.sock, login: root, password-from: 'file:\(board.password)'}
          bootloader: uboot
          reset: {qmp: \(board.folder)/qmp.sock}
          power: {command: {on: [python3, \(try board.loopProgram())], off: ['true']}}
          boot: {timeout: 240 s, off: 0 s}
          recovery:
            - {reconnect: {timeout: 1 s}}
            - {power_cycle: {count: 1}}
            - bootloader: {commands: ['\(RescuedBoard.arguments)'], boot: '\(boot)'}

      """
    let first = try bench.kelvin(
      [
        "target", "uboot", "rock", "--stop-autoboot", "--timeout", "5 min", "--boot-command", boot,
        "--", RescuedBoard.arguments
      ], bench: text)
    try #require(first.code == 0, "\(first)")
    let agenda = board.folder + "/agenda.yaml"
    try """
    config: {augmentations: [execution_time], max_retries: 0, health_check: {workload: command, params: {argv: [uname, -r]}, when: recovery}}
    workloads:
      - {name: command, params: {argv: [sh, -c, 'reboot -f; sleep 300']}}
      - {name: command, params: {argv: ['true']}}
    """.write(toFile: agenda, atomically: true, encoding: .utf8)
    let run = board.folder + "/run"
    let done = try bench.kelvin(["run", agenda, "--board", "rock", "-d", run], bench: text)
    func query(_ sql: String) throws -> [String] {
      try VirtualGuest.program("/usr/bin/sqlite3", ["\(run)/run.db", sql]).output
        .split(separator: "\n").map(String.init)
    }
    let verdicts = try query("SELECT verdict || ': ' || reason FROM jobs ORDER BY position")
    #expect(done.code == 1 && verdicts.count == 2, "\(done)")
    #expect(verdicts.first?.hasPrefix("failed: target: ") == true, "\(verdicts)")
    #expect(verdicts.first?.contains("by bootloader") == true, "\(verdicts)")
    #expect(verdicts.last == "ok: ", "\(verdicts)")
    let steps = try query("SELECT message FROM events WHERE source = 'recovery'").joined()
    #expect(
      steps.contains("power_cycle: rock: boots in a loop: its console said 'U-Boot 20"), "\(steps)")
    #expect(steps.contains("bootloader: the board is back after"), "\(steps)")
    let log = try String(contentsOfFile: run + "/run.log", encoding: .utf8)
    #expect(log.contains("rock: is at the prompt of U-Boot 20"), "\(log)")
    // And it was not trusted unchecked.
    let checks = try query(
      "SELECT message FROM events WHERE source = 'health-check' AND attempt IS NULL")
    #expect(checks.contains { $0.contains("after bootloader): passed") }, "\(checks)")
    let health = try bench.kelvin(["bench", "health", "rock"], bench: text)
    #expect(health.output.contains("1 by bootloader"), "\(health)")
    #expect(health.output.contains("1 passed, 0 failed"), "\(health)")
  }
}
