internal import Glibc
package import KelvinModel

/// Whole files, as streams through shells of their own: never in memory, and never where bytes that
/// are left unread could be taken for script.
extension ShellConnection {
  package func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try push(hostPath, to: path, mode: mode, until: deadline, progress: nil)
  }

  package func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline,
    progress: @escaping TransferProgress
  ) async throws(ConnectionFailure) {
    try push(
      hostPath, to: path, mode: mode, until: deadline, progress: progress as TransferProgress?)
  }

  package func pull(
    _ path: TargetPath, to destination: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try pull(path, to: destination, until: deadline, progress: nil)
  }

  package func pull(
    _ path: TargetPath, to destination: String, until deadline: Deadline,
    progress: @escaping TransferProgress
  ) async throws(ConnectionFailure) {
    try pull(path, to: destination, until: deadline, progress: progress as TransferProgress?)
  }

  private func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline,
    progress: TransferProgress?
  ) throws(ConnectionFailure) {
    let source = open(hostPath, O_RDONLY | O_CLOEXEC)
    guard source >= 0 else { throw ConnectionFailure(hostFile: hostPath, .current) }
    defer { Glibc.close(source) }
    var status = stat()
    fstat(source, &status)
    let temporary = path.string + ".kelvin-" + ShellChannel.nonce().suffix(12)
    // The file's own checksum, read back, tells what the target has; where it has no cksum, the size.
    let script = """
      case $1 in */*) mkdir -p -- "${1%/*}" || exit;; esac
      cat >"$1" && chmod "$2" "$1" && { cksum <"$1" 2>/dev/null || wc -c <"$1"; } && exit
      status=$?; rm -f -- "$1"; exit $status
      """
    let process = try begin(
      Command(
        ["sh", "-c", script, "sh", temporary, String(mode, radix: 8)],
        environment: ["LC_ALL": "C"], standardInput: .descriptor(source), endsDescendants: false),
      until: deadline)
    let meter = TransferMeter(total: Int64(status.st_size), progress)
    let (result, input): (CommandResult, InputSource)
    do throws(ConnectionFailure) {
      (result, input) = try process.wait(until: deadline, hasChecksum: true) { sent, _ in
        meter.tell(sent)
      }
    } catch {
      if error.code != .connectionLost { discard(temporary) }
      throw transferFailure(error, path)
    }
    if let error = input.failure {
      discard(temporary)
      throw ConnectionFailure(hostFile: hostPath, error)
    }
    guard result.isSuccess, let checksum = input.checksum else {
      throw ConnectionFailure(
        ShellReply.errno(inMessage: result.standardError.bytes) ?? .io, path: path,
        connection: name)
    }
    let answer = result.standardOutput.text.split { $0 == " " || $0 == "\n" }.map { UInt64($0) }
    let isWhole =
      answer == [UInt64(checksum.value), checksum.count] || answer == [checksum.count]
    let (from, to) = (ShellWords.quote(temporary), ShellWords.quote(path.string))
    // A directory of that name is no place for the file: mv would put it inside.
    let reply = try run(
      isWhole
        ? "if [ -d \(to) ]; then echo ': Is a directory' >&2; (exit 1); else mv -f -- \(from) \(to); fi "
          + "|| { rm -f -- \(from); (exit 1); }"
        : "rm -f -- \(from)", until: deadline)
    guard isWhole else {
      throw ConnectionFailure(
        .system(.io),
        "\(path): what arrived is not what was sent: \(checksum.count) bytes, checksum "
          + "\(checksum.value) (\(name))", evidence: "\(result.standardOutput.text.prefix(80))")
    }
    guard reply.status == 0 else {
      throw ConnectionFailure(
        ShellReply.errno(inMessage: reply.error) ?? .io, path: path, connection: name)
    }
    meter.finish(Int64(checksum.count))
  }

  private func pull(
    _ path: TargetPath, to destination: String, until deadline: Deadline,
    progress: TransferProgress?
  ) throws(ConnectionFailure) {
    let temporary = destination + ".kelvin-\(getpid())"
    // Of an empty file nothing would be written.
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw ConnectionFailure(hostFile: temporary, .current) }
    Glibc.close(file)
    var isDone = false
    defer { if !isDone { unlink(temporary) } }
    let process = try begin(
      Command(
        ["cat", "--", path.string], environment: ["LC_ALL": "C"],
        standardOutput: .file(temporary, limit: .max), endsDescendants: false), until: deadline)
    let meter = TransferMeter(total: nil, progress)
    let result: CommandResult
    do throws(ConnectionFailure) {
      result = try process.wait(until: deadline, hasChecksum: false) { _, received in
        meter.tell(received)
      }.result
    } catch {
      throw transferFailure(error, path)
    }
    guard result.isSuccess else {
      throw ConnectionFailure(
        ShellReply.errno(inMessage: result.standardError.bytes) ?? .io, path: path,
        connection: name)
    }
    guard rename(temporary, destination) == 0 else {
      throw ConnectionFailure(hostFile: destination, .current)
    }
    isDone = true
    meter.finish(result.standardOutput.totalBytes)
  }

  /// Removes what a push left on the target, where the target can still be reached.
  private func discard(_ temporary: String) {
    _ = try? run("rm -f -- \(ShellWords.quote(temporary))", until: .after(seconds: 5))
  }

  private func transferFailure(
    _ failure: ConnectionFailure, _ path: TargetPath
  ) -> ConnectionFailure {
    if case .hostFile = failure.code { return failure }
    return ConnectionFailure(
      failure.code, "\(path): was not copied: \(failure.message)", evidence: failure.evidence,
      hint: failure.hint)
  }
}
