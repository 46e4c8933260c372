import Foundation
import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// A board that is this machine, whose user is not root: users, passwords and sudoers of its own, bound
/// over the machine's in a mount namespace that each of its shells has for itself.
final class RootBoard: Sendable {
  static let rootPassword = "root's \"secret\" $word"
  static let userPassword = "user's 'secret' \\word"

  /// Why there can be none here; nil when there can.
  static let obstacle: String? = {
    guard geteuid() == 0 else { return "needs root" }
    for program in ["/usr/bin/sudo", "/usr/bin/setpriv", "/usr/bin/unshare", "/bin/busybox"]
    where access(program, X_OK) != 0 { return "there is no \(program)" }
    let result: Void? = try? FastbootTests.run("unshare", "-m", "true")
    return result == nil ? "mount namespaces cannot be made here" : nil
  }()

  /// A number that no user of this machine has.
  static let user: uid_t = 47_111
  let scratch: Scratch

  /// - Parameter rules: lines of its sudoers.
  init(rules: [String] = ["tester ALL=(ALL) ALL"]) throws {
    scratch = try Scratch()
    chmod(scratch.path, 0o755)
    let hash = { [scratch] (password: String) throws in
      try scratch.write("password", Array(password.utf8))
      return try RootBoard.output(["openssl", "passwd", "-6", "-in", scratch.path + "/password"])
    }
    let id = RootBoard.user
    try scratch.write(
      "passwd",
      Array("root:x:0:0::/root:/bin/sh\ntester:x:\(id):\(id)::/tmp:/bin/sh\n".utf8))
    try scratch.write("group", Array("root:x:0:\ntester:x:\(id):\n".utf8))
    try scratch.write(
      "shadow",
      Array(
        """
        root:\(try hash(RootBoard.rootPassword)):20000::::::
        tester:\(try hash(RootBoard.userPassword)):20000::::::

        """.utf8))
    let sudoers = [
      "Defaults lecture=always, !syslog, logfile=\(scratch.path)/log",
      "Defaults timestampdir=\(scratch.path)/ts, lecture_status_dir=\(scratch.path)/lectured"
    ]
    try scratch.write("sudoers", Array(((sudoers + rules).joined(separator: "\n") + "\n").utf8))
    chmod(scratch.path + "/sudoers", 0o440)
    chmod(scratch.path + "/shadow", 0o600)
    // Busybox' su, which Debian's package does not make setuid.
    mkdir(scratch.path + "/busybox", 0o755)
    _ = try RootBoard.output(["cp", "/bin/busybox", scratch.path + "/busybox/su"])
    chmod(scratch.path + "/busybox/su", 0o4755)
    // A board without either.
    mkdir(scratch.path + "/bare", 0o755)
    for tool in ["sh", "id", "cat"] {
      symlink("/bin/\(tool)", scratch.path + "/bare/\(tool)")
    }
    try scratch.write("root-password", Array((RootBoard.rootPassword + "\n").utf8))
    try scratch.write("user-password", Array((RootBoard.userPassword + "\nmore\n").utf8))
    for name in ["root-password", "user-password"] { chmod(scratch.path + "/" + name, 0o600) }
  }

  private static func output(_ words: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = words
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .newlines)
  }

  /// Shells of its user.
  ///
  /// - Parameter path: PATH.
  func connection(
    _ access: RootAccess?, shell: [String] = ["sh"], path: String? = nil
  ) -> ShellConnection {
    ShellConnection(LocalShellTransport(argv: words(for: shell, path: path)), root: access)
  }

  /// What runs a shell of its user.
  func words(for shell: [String], path: String? = nil) -> [String] {
    let bind = ["passwd", "group", "shadow", "sudoers"]
      .map { "mount --bind \(scratch.path)/\($0) /etc/\($0)" }.joined(separator: " && ")
    let id = RootBoard.user
    let script =
      "\(bind) && exec setpriv --reuid \(id) --regid \(id) --clear-groups env "
      + "PATH='\(path ?? "/usr/bin:/bin:/usr/sbin:/sbin")' \"$@\""
    return ["unshare", "-m", "sh", "-c", script, "sh"] + shell
  }

  /// Where the password is.
  func password(_ whose: String) -> PasswordSource { .file(scratch.path + "/\(whose)-password") }

  /// How often sudo ran something.
  var sudoRuns: Int {
    let log = (try? scratch.read("log")).map { String(decoding: $0, as: UTF8.self) } ?? ""
    return log.replacing("\n    ", with: " ").split(separator: "\n").count {
      $0.contains("COMMAND=") && !$0.contains("incorrect") && !$0.contains("NOT in sudoers")
    }
  }
}

/// The ways by which a test's user becomes root.
enum RootWay: String, CaseIterable, Sendable {
  case sudo, sudoWithoutPassword, su, busyboxSu, sudoFromBusybox, sudoFromBash

  func board() throws -> (RootBoard, ShellConnection) {
    let board = try RootBoard(
      rules: [
        self == .sudoWithoutPassword ? "tester ALL=(ALL) NOPASSWD: ALL" : "tester ALL=(ALL) ALL"
      ])
    let connection =
      switch self {
      case .sudo: board.connection(RootAccess(.sudo, password: board.password("user")))
      case .sudoWithoutPassword: board.connection(RootAccess(.sudo))
      case .su: board.connection(RootAccess(.su, password: board.password("root")))
      case .busyboxSu:
        board.connection(
          RootAccess(.su, password: board.password("root")),
          path: board.scratch.path + "/busybox:/usr/bin:/bin")
      case .sudoFromBusybox:
        board.connection(
          RootAccess(.sudo, password: board.password("user")), shell: ["busybox", "ash"])
      case .sudoFromBash:
        board.connection(RootAccess(.sudo, password: board.password("user")), shell: ["bash"])
      }
    return (board, connection)
  }
}
