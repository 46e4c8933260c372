internal import CLinux
internal import Foundation
internal import Glibc
package import KelvinModel

/// The shells that a board's console may have.
package enum BoardShell: String, CaseIterable, Sendable {
  case dash, bash, busybox
  /// Android's shell, whose numbers have 32 bits.
  case mksh
}

/// A directory that stands for a board's own: its programs in `bin`, and the home of who logs in.
///
/// Removed with its last reference.
package final class BoardHome: Sendable {
  /// Where it is.
  package let path: String
  /// Where programs are looked for: its own, then this machine's where the board has them all.
  package let searchPath: String

  /// Makes a board with this shell as `sh`.
  ///
  /// - Parameter tools: what it has besides; nil is all that this machine has, or for busybox all that it
  ///   has itself, which is no cksum: Debian's has none.
  /// - Throws: `configuration` when this machine lacks one of them.
  package init(_ shell: BoardShell? = nil, tools: [String]? = nil) throws(PlainFailure) {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(parent)/kelvin-board-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw PlainFailure(.infrastructure, "\(parent): no temporary directory: \(Errno.current)")
    }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    let bin = path + "/bin"
    mkdir(bin, 0o755)
    let isWhole = tools == nil && shell != .busybox
    searchPath = bin + (isWhole ? ":/usr/sbin:/usr/bin:/sbin:/bin" : "")
    guard let shell else { return }
    let program = try BoardHome.find(shell.rawValue)
    try BoardHome.link(program, bin + "/sh")
    if shell == .busybox {
      // Applets by links of their own, and nothing else, as a minimal board has it.
      for tool in tools ?? BoardHome.applets { try BoardHome.link(program, bin + "/" + tool) }
    } else {
      for tool in tools ?? [] { try BoardHome.link(try BoardHome.find(tool), bin + "/" + tool) }
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Gives the board applets of a program that goes by many names; those that it has already stay.
  package func link(_ names: [String], to program: String) throws(PlainFailure) {
    let program = try BoardHome.find(program)
    for name in names { try BoardHome.link(program, path + "/bin/" + name) }
  }

  /// Gives the board a program of its own, before all others of that name.
  package func install(_ name: String, script: String) throws(PlainFailure) {
    let file = path + "/bin/" + name
    // Never through a link into this machine's own programs.
    unlink(file)
    let descriptor = kelvin_open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o755)
    let bytes = Array("#!/bin/sh\n\(script)\n".utf8)
    guard descriptor >= 0, write(descriptor, bytes, bytes.count) == bytes.count else {
      let error = Errno.current
      if descriptor >= 0 { close(descriptor) }
      throw PlainFailure(.infrastructure, "\(file): \(error)")
    }
    close(descriptor)
  }

  /// Where a program of this machine is.
  ///
  /// - Throws: `configuration` when it is nowhere.
  package static func find(_ name: String) throws(PlainFailure) -> String {
    if name.contains("/") {
      guard access(name, X_OK) == 0 else {
        throw PlainFailure(.configuration, "\(name): \(Errno.current)")
      }
      return name
    }
    let paths = getenv("PATH").map { String(cString: $0) } ?? ""
    let places =
      ["/usr/bin", "/bin", "/usr/sbin", "/sbin"] + paths.split(separator: ":").map(String.init)
    guard let place = places.first(where: { access("\($0)/\(name)", X_OK) == 0 }) else {
      throw PlainFailure(
        .configuration, "\(name): there is no such program",
        hint: "install it, or name another one")
    }
    return "\(place)/\(name)"
  }

  private static func link(_ target: String, _ name: String) throws(PlainFailure) {
    guard symlink(target, name) == 0 || errno == EEXIST else {
      throw PlainFailure(.infrastructure, "\(name): \(Errno.current)")
    }
  }

  /// What a board with busybox usually has.
  package static let commonApplets =
    applets + [
      "[", "basename", "clear", "cp", "cut", "date", "df", "dirname", "dmesg", "du", "echo", "env",
      "expr", "false", "free", "grep", "gzip", "hostname", "id", "ln", "md5sum", "mkfifo", "mktemp",
      "mount", "nice", "pwd", "rmdir", "sort", "sync", "tar", "tee", "test", "timeout", "top",
      "touch", "tty", "uname", "uniq", "uptime", "vi", "which", "xargs"
    ]

  private static let applets = [
    "awk", "base64", "cat", "chmod", "dd", "find", "head", "hexdump", "kill", "ls",
    "md5sum", "mkdir", "mv", "od", "printf", "ps", "readlink", "rm", "sed", "seq", "setsid",
    "sha256sum", "sleep", "stat", "stty", "tail", "tr", "true", "wc", "yes"
  ]
}
