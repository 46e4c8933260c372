import CLinux
import Glibc
import KelvinModel
import Testing

@testable import KelvinConnections

/// A shell at a prompt on a pseudo terminal, as a board has one at its console.
final class LineShell {
  enum Kind: String, CaseIterable, CustomTestStringConvertible, Sendable {
    case dash, bash, busybox
    /// Android's shell.
    case mksh
    var testDescription: String { rawValue }

    /// Those that this machine has: dash, bash and busybox must be there.
    static let allCases: [Kind] = {
      guard access("/usr/bin/mksh", X_OK) == 0 else {
        print("mksh is not there: 'apt-get install mksh' has boards tried that have it")
        return [.dash, .bash, .busybox]
      }
      return [.dash, .bash, .busybox, .mksh]
    }()
  }

  let line: FaultyLine
  let scratch: Scratch
  private let process: pid_t
  var processID: pid_t { process }

  /// - Parameters:
  ///   - tools: what the board has besides the shell; nil is all that this machine has, or for
  ///     busybox all that it has itself, which is no cksum: Debian's has none.
  ///   - script: runs in place of an interactive shell.
  init(
    _ kind: Kind, _ faults: LineFaults = LineFaults(), tools: [String]? = nil,
    prompt: String? = nil, script: String? = nil, environment: [String: String] = [:]
  ) throws {
    scratch = try Scratch()
    let bin = scratch.path + "/bin"
    mkdir(bin, 0o755)
    let program = "/usr/bin/\(kind.rawValue)"
    try #require(access(program, X_OK) == 0, "\(program) is not there")
    try LineShell.link(program, bin + "/sh")
    var path = bin
    if kind == .busybox {
      // Applets by links of their own, and nothing else, as a minimal board has it.
      for tool in tools ?? LineShell.applets { try LineShell.link(program, bin + "/" + tool) }
    } else if let tools {
      for tool in tools {
        let places = ["/usr/bin/", "/bin/", "/usr/sbin/"]
        let place = try #require(places.first { access($0 + tool, X_OK) == 0 }, "\(tool)")
        try LineShell.link(place + tool, bin + "/" + tool)
      }
    } else {
      path += ":/usr/sbin:/usr/bin:/sbin:/bin"
    }
    var name = [CChar](repeating: 0, count: 128)
    let master = kelvin_pty(&name, name.count)
    guard master >= 0 else { throw Errno.current }
    var variables = ["PATH": path, "HOME": scratch.path, "TERM": "vt100", "PS1": prompt ?? "# "]
    variables.merge(environment) { $1 }
    var argv = kind == .bash && script == nil ? ["sh", "--norc", "-i"] : ["sh", "-i"]
    if let script { argv = ["sh", "-c", script] }
    // A session's first terminal becomes its controlling one.
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0)
    posix_spawn_file_actions_adddup2(&actions, 0, 1)
    posix_spawn_file_actions_adddup2(&actions, 0, 2)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    // Whoever runs the tests may ignore or block SIGINT, which a board's console does not.
    var signals = sigset_t()
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    var mask = sigset_t()
    sigemptyset(&mask)
    posix_spawnattr_setsigmask(&attributes, &mask)
    let setsid: Int16 = 0x80
    posix_spawnattr_setflags(
      &attributes, setsid | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK))
    var child = pid_t()
    let status = LineShell.withStrings(argv) { argv in
      LineShell.withStrings(variables.map { "\($0)=\($1)" }) { environment in
        posix_spawn(&child, bin + "/sh", &actions, &attributes, argv, environment)
      }
    }
    posix_spawnattr_destroy(&attributes)
    posix_spawn_file_actions_destroy(&actions)
    guard status == 0 else { throw Errno(status) }
    process = child
    line = try FaultyLine(master, faults)
  }

  deinit {
    line.end()
    // The hang-up ended it, unless it ignores that.
    kill(process, SIGKILL)
    var status: Int32 = 0
    waitpid(process, &status, 0)
  }

  /// Ends the shell, as if it had crashed.
  func crash() { kill(process, SIGKILL) }

  /// A channel whose agent runs.
  func channel(seconds: Double = 30) throws -> ConsoleChannel {
    let channel = ConsoleChannel(line.link)
    try channel.open(until: .after(seconds: seconds))
    return channel
  }

  private static func link(_ target: String, _ name: String) throws {
    guard symlink(target, name) == 0 || errno == EEXIST else { throw Errno.current }
  }

  private static func withStrings<R>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
  ) -> R {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    return body(pointers)
  }

  private static let applets = [
    "awk", "base64", "cat", "chmod", "dd", "find", "head", "hexdump", "kill", "ls",
    "md5sum", "mkdir", "mv", "od", "printf", "ps", "readlink", "rm", "sed", "seq", "setsid",
    "sha256sum", "sleep", "stat", "stty", "tail", "tr", "true", "wc", "yes"
  ]
}
