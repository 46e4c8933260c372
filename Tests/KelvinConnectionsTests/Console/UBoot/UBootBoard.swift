import CLinux
import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

/// Debian's U-Boot on an emulated board of its own, whose console is spoilt as a test wishes.
final class UBootBoard {
  private static let timeout = "/usr/bin/timeout"
  private static let qemu = "/usr/bin/qemu-system-aarch64"
  private static let firmware = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"

  /// Why there is none here; nil when there is.
  static let obstacle: String? = {
    for path in [qemu, firmware] where access(path, R_OK) != 0 {
      return "\(path) is not there; scripts/setup virtual-bench installs it"
    }
    return nil
  }()

  let line: FaultyLine
  let link: DescriptorLink
  private let scratch: Scratch
  private let process: pid_t

  /// Starts it; it counts down from two and then finds nothing to boot.
  ///
  /// - Parameter memory: files that lie in its memory from the start, by their addresses.
  init(_ faults: LineFaults = LineFaults(), memory: [(path: String, address: UInt64)] = []) throws {
    // As kelvin does: a line that is gone is an error, not an end.
    signal(SIGPIPE, SIG_IGN)
    scratch = try Scratch()
    let path = scratch.path + "/console"
    let loaders = memory.flatMap {
      ["-device", "loader,file=\($0.path),addr=0x\(String($0.address, radix: 16)),force-raw=on"]
    }
    let arguments =
      [
        // Ends it even if the tests crash.
        UBootBoard.timeout, "-k", "5", "900", UBootBoard.qemu, "-M", "virt", "-cpu", "cortex-a57",
        "-accel", "tcg", "-m", memory.isEmpty ? "128" : "512",
        "-nodefaults", "-no-user-config", "-display", "none", "-bios", UBootBoard.firmware,
        // What is said before somebody listens is lost.
        "-serial", "unix:\(path),server=on,wait=on"
      ] + loaders
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    for stream: Int32 in 0...2 {
      posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0)
    }
    // A group of their own, so that both can be ended at once.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    var child = pid_t()
    let status = posix_spawn(&child, UBootBoard.timeout, &actions, &attributes, pointers, environ)
    posix_spawnattr_destroy(&attributes)
    posix_spawn_file_actions_destroy(&actions)
    guard status == 0 else { throw Errno(status) }
    process = child
    do {
      var host: Int32 = -1
      line = try FaultyLine(
        try UBootBoard.connect(path), faults, keepsTraffic: true, host: &host)
      link = DescriptorLink(
        host, name: "test line", bitsPerSecond: faults.bitsPerSecond ?? 10_000_000)
    } catch {
      UBootBoard.end(child)
      throw error
    }
  }

  deinit {
    line.end()
    UBootBoard.end(process)
  }

  /// A shell at the prompt, by the countdown.
  func shell(_ options: UBootOptions = UBootOptions(), seconds: Double = 60) throws -> UBootShell {
    let shell = UBootShell(link, options: options)
    try shell.reach(.afterReset, until: .after(seconds: seconds))
    return shell
  }

  /// All that the board said.
  var said: String {
    line.traffic.withLock { String(decoding: $0.said, as: UTF8.self) }
  }

  /// All that it was told.
  var told: [UInt8] { line.traffic.withLock { $0.told } }

  /// Waits until it has said something.
  func wait(for text: String, seconds: Double = 30) throws {
    let deadline = Deadline.after(seconds: seconds)
    while !said.contains(text) {
      try #require(!deadline.hasPassed, "'\(text)' did not come; last: \(said.suffix(200))")
      _ = Deadline.after(seconds: 0.02).wait()
    }
  }

  private static func connect(_ path: String) throws -> Int32 {
    let deadline = Deadline.after(seconds: 20)
    while true {
      do {
        return try UnixSocket.connect(path: path, until: deadline)
      } catch {
        guard !deadline.hasPassed else { throw error }
        _ = Deadline.after(seconds: 0.02).wait()
      }
    }
  }

  private static func end(_ process: pid_t) {
    kill(-process, SIGKILL)
    var status: Int32 = 0
    waitpid(process, &status, 0)
  }
}

extension Trait where Self == ConditionTrait {
  /// Skips, with the reason, where U-Boot cannot be started.
  static var needsUBoot: ConditionTrait {
    .enabled(if: UBootBoard.obstacle == nil, "\(UBootBoard.obstacle ?? "")")
  }
}

/// A board at its prompt that a serialized suite's tests share.
///
/// Used by one test at a time.
final class SharedUBoot: @unchecked Sendable {
  @TaskLocal static var current: SharedUBoot?

  private let board: UBootBoard
  private let shell: UBootShell

  init() throws {
    board = try UBootBoard()
    shell = try board.shell()
  }

  /// Its shell, at the prompt.
  static func shell() throws -> UBootShell {
    let shared = try #require(current)
    if !shared.shell.isOpen { try shared.shell.reach(until: .after(seconds: 40)) }
    return shared.shell
  }
}

/// Gives a suite a board.
struct SharedUBootTrait: SuiteTrait, TestScoping {
  var isRecursive: Bool { false }

  func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @Sendable @concurrent () async throws -> Void
  ) async throws {
    guard UBootBoard.obstacle == nil else { return try await function() }
    try await SharedUBoot.$current.withValue(SharedUBoot(), operation: function)
  }
}

extension Trait where Self == SharedUBootTrait {
  /// The suite's tests share one board.
  static var sharedUBoot: SharedUBootTrait { SharedUBootTrait() }
}
