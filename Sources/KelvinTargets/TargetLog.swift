public import KelvinConnections
public import KelvinModel

/// A log of a target, and the commands that read and follow it.
public enum TargetLog: Sendable, Hashable {
  /// Android's, by its own logcat: what its `-b` and its filters choose; everything when empty.
  case logcat(buffers: [String], filters: [String])
  /// systemd's.
  case journal
  /// The kernel's, by dmesg.
  case kernel

  /// Bytes of a reading; a kernel's log has less, unless it was built for or booted with more.
  package static let limit = 16 << 20

  /// What the target has: Android's log or systemd's.
  ///
  /// - Throws: `unsupported` where there is neither.
  public static func system(
    of target: Target, until deadline: Deadline
  ) async throws(ConnectionFailure) -> TargetLog {
    let found = try await target.connection.findExecutables(
      ["logcat", "journalctl"], until: deadline)
    if found[0] != nil { return .logcat(buffers: [], filters: []) }
    if found[1] != nil { return .journal }
    throw ConnectionFailure(
      .unsupported, "\(target.name): has neither logcat nor journalctl",
      hint: "'--kernel' follows the kernel's log")
  }

  /// A command that prints the last `lines` lines and goes on with what comes.
  ///
  /// Sources: logcat's own help (-T prints from there on and goes on, which -t does not); journalctl(1);
  /// dmesg(1): util-linux' and toybox' dmesg follow by -w, busybox' does not, and there the kernel's own
  /// records come (/dev/kmsg, since Linux 3.5), as does everything that its log still has.
  public func following(lines: Int = 1) -> [String] {
    switch self {
    case .logcat(let buffers, let filters):
      ["logcat", "-v", "threadtime", "-T", "\(max(1, lines))"] + buffers.flatMap { ["-b", $0] }
        + filters
    case .journal: ["journalctl", "-f", "-n", "\(lines)", "--no-pager"]
    case .kernel:
      [
        "sh", "-c",
        """
        case $(dmesg --help 2>&1) in *-w*) exec dmesg -w;; esac
        exec cat /dev/kmsg
        """
      ]
    }
  }

  /// The kernel's log as it is now.
  ///
  /// - Throws: `refused` when dmesg fails, or prints more than Kelvin takes.
  package static func readKernel(
    through connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [UInt8] {
    let result = try await connection.execute(
      Command(
        ["dmesg"], standardOutput: .capture(limit: limit), standardError: .capture(limit: 4096),
        endsDescendants: false), until: deadline)
    guard result.isSuccess else {
      throw ConnectionFailure(
        .refused("\(result.termination)"),
        "dmesg \(result.termination): \(result.standardError.text.trimmingASCIIWhitespace.prefix(200))",
        hint: "connect as root, or set kernel.dmesg_restrict to 0 on the target")
    }
    // The newest lines would be those that are missing.
    guard !result.standardOutput.isTruncated else {
      throw ConnectionFailure(.refused("too long"), "dmesg: prints more than \(limit >> 20) MiB")
    }
    return result.standardOutput.bytes
  }
}
