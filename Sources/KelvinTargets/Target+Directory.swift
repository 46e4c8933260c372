public import KelvinConnections
public import KelvinModel
internal import Synchronization

extension Target {
  /// Where working directories are made: /tmp as on every Linux; where Android's shell may write and
  /// run programs (AOSP system/core/rootdir/init.rc makes it shell's); what survives a reboot.
  public static let usualDirectories: [TargetPath] = ["/tmp", "/data/local/tmp", "/var/tmp"]

  /// A directory on the target that is this run's own; made on first use, and again after a reboot,
  /// removed at the end.
  ///
  /// It is in the first of the directories that takes files and lets programs in them run, else in the
  /// first that takes files at all.
  ///
  /// - Throws: `permissionDenied` when none can be written, with all that were tried.
  public func workingDirectory(
    until deadline: Deadline
  ) async throws(ConnectionFailure) -> TargetPath {
    if let known = state.withLock({ $0.hasWorkingDirectory ? $0.workingDirectory : nil }) {
      return known
    }
    let result = try await connection.execute(
      Command(
        ["sh", "-c", Target.directoryScript, "sh", directoryName] + directories.map(\.string),
        standardOutput: .capture(limit: 65_536), standardError: .capture(limit: 4096),
        endsDescendants: false), until: deadline)
    // A path may hold line ends; the script's own comes last.
    let output = result.standardOutput.bytes
    guard result.isSuccess, output.first == UInt8(ascii: "/"), output.last == 10 else {
      let tried = directories.map(\.string) + ["$HOME"]
      throw ConnectionFailure(
        .permissionDenied,
        "\(name): no directory for a run's files can be made in any of "
          + tried.joined(separator: ", "),
        evidence: String(result.standardError.text.prefix(1000)),
        hint: "mount a file system that this user may write to in one of these")
    }
    let path = TargetPath(String(decoding: output.dropLast(), as: UTF8.self))
    let former = state.withLock { state in
      defer { (state.workingDirectory, state.hasWorkingDirectory) = (path, true) }
      return state.workingDirectory
    }
    // Elsewhere than before the reboot: what is left there is nobody's.
    if let former, former != path { try? await connection.remove(former, until: deadline) }
    return path
  }

  /// A path for files of a workload on the target, in the working directory.
  public func workingPath(
    _ name: String, until deadline: Deadline
  ) async throws(ConnectionFailure) -> TargetPath {
    try await workingDirectory(until: deadline).appending(name)
  }

  /// Makes the directory `$1` in one of the others, prints its path, and leaves none in the rest.
  ///
  /// A file is really written: a full or read-only file system has directories, too. `-x` is false for
  /// every file of a file system that is mounted noexec (access(2)).
  private static let directoryScript = """
    name=$1; shift; spare=
    for parent in "$@" "$HOME"; do case $parent in /*) ;; *) continue;; esac
    d=${parent%/}/$name; made=; [ -d "$d" ] || { mkdir "$d" || continue; made=y; }
    if echo x >"$d/probe" && [ -s "$d/probe" ] && chmod 755 "$d/probe"; then
    [ -x "$d/probe" ] && x=y || x=; rm -f "$d/probe"
    if [ "$x" ]; then [ "$spare" ] && [ "$spare" != "$d" ] && rmdir "$spare"
    printf '%s\\n' "$d"; exit 0; fi
    [ "$spare" ] && { [ "$made" ] && rmdir "$d"; } || spare=$d
    else rm -f "$d/probe"; [ "$made" ] && rmdir "$d"; fi; done
    [ "$spare" ] || exit 1; printf '%s\\n' "$spare"
    """
}
