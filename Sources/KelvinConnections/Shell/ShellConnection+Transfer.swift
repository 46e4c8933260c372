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
    let isLarge = status.st_mode & S_IFMT == S_IFREG && status.st_size > PartialCopy.threshold
    let temporary = PartialCopy.temporary(for: path, isLarge: isLarge)
    let head =
      isLarge ? try claim(path, as: temporary, for: source, hostPath, until: deadline) : nil
    try push(
      source, hostPath, after: head ?? PosixChecksum(), by: temporary, to: path, mode: mode,
      meter: TransferMeter(total: Int64(status.st_size), progress), isLarge: isLarge,
      until: deadline)
  }

  /// Takes what an earlier copy left, as `temporary`.
  ///
  /// - Parameter source: the file that is to be copied, whose beginning it must be.
  /// - Returns: its checksum; nil when there is nothing, or it is of something else.
  func claim(
    _ path: TargetPath, as temporary: String, for source: Int32, _ hostPath: String,
    until deadline: Deadline
  ) throws(ConnectionFailure) -> PosixChecksum? {
    let answer = try output(of: PartialCopy.claim(path, as: temporary), until: deadline)
    guard let check = PartialCopy.Check(answer) else { return nil }
    return try check.matches(source, hostPath, until: deadline)
  }

  /// Sends a file from where another copy of it ended, and gives it its name when the whole is right.
  ///
  /// - Parameters:
  ///   - head: the checksum of what is on the target already.
  ///   - temporary: where that is, and where the rest goes.
  ///   - isLarge: whether what a broken link leaves is kept for the next attempt.
  func push(
    _ source: Int32, _ hostPath: String, after head: PosixChecksum, by temporary: String,
    to path: TargetPath, mode: UInt16, meter: TransferMeter, isLarge: Bool,
    until deadline: Deadline
  ) throws(ConnectionFailure) {
    let nonce = ShellChannel.nonce()
    let words = [
      "sh", "-c", ShellConnection.receiving, "sh", temporary, "\(head.count)", isLarge ? "x" : "",
      nonce
    ]
    let sent: (answer: [UInt8], error: [UInt8], isSuccess: Bool, checksum: PosixChecksum)
    do throws(ConnectionFailure) {
      lseek(source, off_t(head.count), SEEK_SET)
      if isLarge,
        let streamed = try stream(
          source, hostPath, words, after: head, nonce: nonce, meter: meter, until: deadline)
      {
        sent = streamed
      } else {
        lseek(source, off_t(head.count), SEEK_SET)
        let process = try begin(
          Command(words, standardInput: .descriptor(source), endsDescendants: false),
          until: deadline)
        let (result, input) = try process.wait(until: deadline, checksum: head) { sent, _ in
          meter.tell(sent)
        }
        if let error = input.failure { throw ConnectionFailure(hostFile: hostPath, error) }
        sent = (
          result.standardOutput.bytes, result.standardError.bytes, result.isSuccess,
          input.checksum ?? head
        )
      }
    } catch {
      let isKept = isLarge && PartialCopy.mayGoOn(after: error)
      if error.code != .connectionLost, !isKept { discard(temporary) }
      throw transferFailure(error, path)
    }
    guard sent.isSuccess else { throw refusal(sent.error, path) }
    let isWhole = ShellConnection.says(
      sent.answer.split(separator: 10).filter { !$0.elementsEqual(nonce.utf8) }, sent.checksum)
    let (from, to) = (ShellWords.quote(temporary), ShellWords.quote(path.string))
    // A directory of that name is no place for the file: mv would put it inside.
    let reply = try run(
      isWhole
        ? "if [ -d \(to) ]; then echo ': Is a directory' >&2; (exit 1); "
          + "else chmod \(String(mode, radix: 8)) \(from) && mv -f -- \(from) \(to); fi "
          + "|| { rm -f -- \(from); (exit 1); }"
        : "rm -f -- \(from)", until: deadline)
    guard isWhole else {
      throw ConnectionFailure(
        .system(.io),
        "\(path): what arrived is not what was sent: \(sent.checksum.count) bytes, checksum "
          + "\(sent.checksum.value) (\(name))",
        evidence: String(decoding: sent.answer.suffix(80), as: UTF8.self),
        hint: "did the file change meanwhile? Copy it again")
    }
    guard reply.status == 0 else { throw refusal(reply.error, path) }
    meter.finish(Int64(sent.checksum.count))
  }

  /// Takes a file, or its rest: `FILE BYTES-THERE LARGE NONCE`.
  ///
  /// What comes of it is read back by cksum; where the target has none, its size is told. That of a large
  /// file begins while the rest still comes, since the target has often nothing else to do: each cksum
  /// goes on at the one descriptor where the last one ended. It stops when it is told to, between two
  /// of them, or when the link is gone; without a sleep of tenths it does not begin.
  static let receiving = #"""
    LC_ALL=C; export LC_ALL; case $1 in */*) mkdir -p -- "${1%/*}" || exit;; esac; umask 077; \#
    echo "$4"; [ "$2" != 0 ] || : >"$1" || exit; exec 4<"$1" || exit; c=; \#
    if [ "$3" ]; then { trap 'kill $p; exit' TERM; i=.1; \#
    while { sleep $i 4<&- 5>&- & p=$!; wait $p; } && p= && kill -0 $$; do cksum <&4 >&5 || exit; \#
    case $i in .1) i=.3;; *) i=1;; esac; done; } 5>&1 >/dev/null 2>&1 & c=$!; fi; \#
    cat >>"$1"; s=$?; [ -z "$c" ] || { kill $c; wait $c; } 2>/dev/null; \#
    [ $s != 0 ] || { { cksum <&4 2>/dev/null || wc -c <"$1"; } && exit; s=$?; }; \#
    [ "$3" ] && [ $s -gt 128 ] || rm -f -- "$1"; exit $s
    """#

  /// Whether these lines of ``receiving`` are of those bytes.
  static func says(_ lines: [some Collection<UInt8>], _ checksum: PosixChecksum) -> Bool {
    var arrived = PosixChecksum()
    for line in lines {
      let words = line.split(separator: 32).map { String(decoding: $0, as: UTF8.self) }
      if words == ["\(checksum.count)"], lines.count == 1 { return true }
      guard words.count > 1, let value = UInt32(words[0]), let count = UInt64(words[1]) else {
        return false
      }
      arrived.append(value, count: count)
    }
    return arrived.count == checksum.count && arrived.value == checksum.value
  }

  /// What the target's tools said when they could not store a file.
  func refusal(_ words: [UInt8], _ path: TargetPath) -> ConnectionFailure {
    let failure = ConnectionFailure(
      ShellReply.errno(inMessage: words) ?? .io, path: path, connection: name)
    return ConnectionFailure(
      failure.code, failure.message,
      evidence: String(decoding: words.suffix(400), as: UTF8.self),
      hint: PartialCopy.hint(for: failure.code))
  }

  private func pull(
    _ path: TargetPath, to destination: String, until deadline: Deadline,
    progress: TransferProgress?
  ) throws(ConnectionFailure) {
    let meter = TransferMeter(total: nil, progress)
    let part = try HostPart(destination)
    let start = try resume(part, path, until: deadline)
    try pull(path, part, from: start, meter: meter, until: deadline)
  }

  /// Takes what an earlier copy left on this machine, if it is the beginning of the target's file.
  ///
  /// - Returns: how many bytes of it are right.
  /// - Throws: that it could not be compared; then it is there for the next attempt, as it was.
  func resume(
    _ part: HostPart, _ path: TargetPath, until deadline: Deadline
  ) throws(ConnectionFailure) -> Int64 {
    guard try part.claim() else { return 0 }
    do throws(ConnectionFailure) {
      let answer = try output(
        of: PartialCopy.check(ShellWords.quote(path.string), first: part.count), until: deadline)
      if let check = PartialCopy.Check(answer), check.count == part.count,
        try part.matches(check, until: deadline)
      {
        return part.count
      }
    } catch {
      // Nothing was found to be wrong with it.
      part.close(keeps: PartialCopy.mayGoOn(after: error))
      throw error
    }
    try part.truncate()
    return 0
  }

  /// Fetches a file, or its rest, into a part file, which then takes its name.
  func pull(
    _ path: TargetPath, _ part: HostPart, from start: Int64, meter: TransferMeter,
    until deadline: Deadline
  ) throws(ConnectionFailure) {
    do throws(ConnectionFailure) {
      let process = try begin(
        Command(
          start == 0
            ? ["cat", "--", path.string] : ["tail", "-c", "+\(start + 1)", "--", path.string],
          environment: ["LC_ALL": "C"], standardOutput: .descriptor(part.descriptor),
          endsDescendants: false), until: deadline)
      let result = try process.wait(until: deadline, checksum: nil) { _, received in
        meter.tell(start + received)
      }.result
      guard result.isSuccess else { throw refusal(result.standardError.bytes, path) }
      if start > 0 {
        // Its beginning may have changed since.
        let answer = try output(
          of: PartialCopy.check(ShellWords.quote(path.string)), until: deadline)
        guard let check = PartialCopy.Check(answer), try part.matches(check, until: deadline) else {
          throw ConnectionFailure(
            .system(.io), "\(path): it changed while it was copied (\(name))",
            hint: "copy it again, from its beginning")
        }
      }
      try part.finish()
    } catch {
      part.close(keeps: PartialCopy.mayGoOn(after: error))
      if case .hostFile(let code) = error.code {
        throw ConnectionFailure(hostFile: part.destination, code)
      }
      throw transferFailure(error, path)
    }
    meter.finish(part.count)
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
