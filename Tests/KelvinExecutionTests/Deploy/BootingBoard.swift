import Foundation
import Glibc
import KelvinConnections
import KelvinExecution
import KelvinModel
import KelvinStore
import Synchronization

/// A board whose boots are changes to a folder of files: which kernel runs, and which boot it is.
///
/// Nothing is executed but what is listed here: a test must never boot this machine.
final class BootingBoard: ForwardingConnection {
  /// What a kernel shows once it runs.
  struct Kernel {
    /// Of 20 bytes.
    var buildID: UInt8
    var release = "6.1.0"
    var version = "#1 SMP"
  }

  struct State {
    var boots = 0
    var own = Kernel(buildID: 0xAA)
    /// What kexec has loaded: the file's content is the build id's byte.
    var loaded: Kernel?
    /// What kexec says when it refuses.
    var refusal: String?
    /// What starts instead of what was loaded.
    var impostor: Kernel?
    var commands: [[String]] = []
    var verifyCode: Int32 = 0
    /// Answers nothing until its power comes back.
    var isDead = false
  }
  let state = Mutex(State())
  let root: String
  let base: any Connection

  init(_ root: String) throws {
    self.root = root
    base = LocalConnection(root: root)
    for folder in ["proc/sys/kernel/random", "sys/kernel", "tmp"] {
      try FileManager.default.createDirectory(
        atPath: root + "/" + folder, withIntermediateDirectories: true)
    }
    boot(Kernel(buildID: 0xAA))
  }

  var name: String { "fake" }
  var capabilities: Capabilities {
    var capabilities = base.capabilities
    capabilities.isThisMachine = false
    return capabilities
  }
  var boots: Int { state.withLock { $0.boots } }

  /// Another boot, of this kernel.
  func boot(_ kernel: Kernel) {
    let count = state.withLock { state in
      state.boots += 1
      state.loaded = nil
      return state.boots
    }
    let id = "00000000-0000-4000-8000-0000000000\(count < 10 ? "0" : "")\(count)\n"
    let note: [UInt8] =
      [4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 0x47, 0x4E, 0x55, 0]
      + [UInt8](repeating: kernel.buildID, count: 20)
    let files: [(String, Data)] = [
      ("proc/sys/kernel/random/boot_id", Data(id.utf8)), ("sys/kernel/notes", Data(note)),
      ("proc/sys/kernel/osrelease", Data(kernel.release.utf8)),
      ("proc/sys/kernel/version", Data(kernel.version.utf8)),
      ("proc/sys/kernel/arch", Data("x86_64".utf8)), ("proc/cmdline", Data("quiet".utf8))
    ]
    for (name, data) in files {
      try? data.write(to: URL(fileURLWithPath: root + "/" + name), options: .atomic)
    }
  }

  func execute(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CommandResult {
    state.withLock { $0.commands.append(command.argv) }
    return answer(command.argv.joined(separator: " "), command.argv)
  }

  private func answer(_ text: String, _ argv: [String]) -> CommandResult {
    if text.contains("systemctl kexec") {
      let next = state.withLock { $0.impostor ?? $0.loaded }
      if let next { boot(next) }
      return done(0)
    }
    if argv.contains("-l"), let index = argv.firstIndex(of: "-l") {
      if let refusal = state.withLock({ $0.refusal }) { return done(255, error: refusal) }
      guard let byte = FileManager.default.contents(atPath: argv[index + 1])?.last else {
        return done(1, error: "cannot open \(argv[index + 1])")
      }
      state.withLock { $0.loaded = Kernel(buildID: byte) }
      return done(0)
    }
    if text.contains("reboot || reboot -f") {
      boot(state.withLock { $0.own })
      return done(0)
    }
    if text.hasSuffix("verify-me") { return done(state.withLock { $0.verifyCode }) }
    // A working directory, whether it has booted, a workload.
    if text.contains("probe") { return done(0, root + "/tmp/work\n") }
    return done(0)
  }

  private func done(_ code: Int32, _ output: String = "", error: String = "") -> CommandResult {
    func captured(_ text: String) -> CapturedOutput {
      CapturedOutput(bytes: Array(text.utf8))
    }
    return CommandResult(
      termination: .exited(code), standardOutput: captured(output), standardError: captured(error),
      startTime: .now, endTime: .now)
  }

  func start(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> any RemoteProcess {
    throw ConnectionFailure(.unsupported, "a fake board starts nothing")
  }
  func read(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<[UInt8], Errno>] {
    // What switches its power on leaves this file.
    if unlink(root + "/on") == 0 {
      state.withLock { $0.isDead = false }
      boot(state.withLock { $0.own })
    }
    // And what takes it away this one.
    if unlink(root + "/off") == 0 { state.withLock { $0.isDead = true } }
    if state.withLock({ $0.isDead }) { throw ConnectionFailure(.connectionLost, "fake: silent") }
    return try await base.read(paths, until: deadline)
  }
  func findExecutables(
    _ names: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetPath?] { names.map { _ in nil } }
  func close() async {}
}

extension BootingBoard {
  /// An ELF kernel for x86_64 whose build id is one byte, 20 times; that byte is the file's last.
  static func kernel(_ id: UInt8, in directory: String) throws -> String {
    var bytes = [UInt8](repeating: 0, count: 120)
    bytes.replaceSubrange(0..<6, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1])
    (bytes[18], bytes[32], bytes[54], bytes[56]) = (62, 64, 56, 1)
    (bytes[64], bytes[72], bytes[96]) = (4, 120, 36)
    bytes += [4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 0x47, 0x4E, 0x55, 0]
    bytes += [UInt8](repeating: id, count: 20)
    let path = directory + "/kernel-\(id)"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }
}

/// A journal in memory.
final class MemoryDeployments: DeploymentJournal {
  private let record = Mutex<DeploymentRecord?>(nil)

  func last() -> DeploymentRecord? { record.withLock { $0 } }
  func note(_ new: DeploymentRecord?) { record.withLock { $0 = new } }
}
