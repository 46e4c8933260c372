internal import Glibc
package import KelvinModel

extension ScriptRunner {
  package func read(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<[UInt8], Errno>] {
    let limit = readLimit
    // Some builds of busybox call a directory an input/output error.
    let snippet =
      "if [ -d \"$f\" ]; then echo ': Is a directory' >&2; (exit 1); "
      + "else head -c \(limit + 1) -- \"$f\"; fi"
    return try each(paths, snippet, until: deadline).map {
      switch $0 {
      case .success(let bytes) where bytes.count > limit:
        .failure(Errno(EFBIG))
      case let result: result
      }
    }
  }

  package func write(
    _ values: [(path: TargetPath, bytes: [UInt8])], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<Void, Errno>] {
    guard !values.isEmpty else { return [] }
    let separator = ShellReply.separator()
    var script = ""
    for (path, bytes) in values {
      let file = ShellWords.quote(path.string)
      // printf's octal escapes carry any byte; dd writes them at once, truncates nothing, and says
      // what the kernel answered.
      let text = bytes.map { byte in
        let octal = String(byte, radix: 8)
        return "\\0" + String(repeating: "0", count: 3 - octal.count) + octal
      }.joined()
      script +=
        "if [ -e \(file) ]; then printf '%b' '\(text)' | dd of=\(file) bs=\(max(1, bytes.count)) conv=notrunc 2>&1; "
        + "else echo ': No such file or directory'; fi; printf '\\n\(separator)\\n'\n"
    }
    let reply = try run(script, until: deadline)
    let parts = ShellReply.split(reply.output, separator)
    return values.indices.map { index in
      guard index < parts.count else { return .failure(.io) }
      // dd ends with its counts when it worked.
      if let error = ShellReply.errno(inMessage: parts[index]) { return .failure(error) }
      return .success(())
    }
  }

  /// Runs a snippet for each file `$f`, in one round trip: its output, or the error that its tool
  /// reported.
  private func each(
    _ paths: [TargetPath], _ snippet: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> [Result<[UInt8], Errno>] {
    guard !paths.isEmpty else { return [] }
    let separator = ShellReply.separator()
    let words = paths.map { ShellWords.quote($0.string) }.joined(separator: " ")
    let reply = try run(
      "for f in \(words); do \(snippet); printf '\\n%s %d\\n' \(separator) $?; "
        + "printf '\\n%s\\n' \(separator) >&2; done", until: deadline)
    let outputs = ShellReply.splitWithStatus(reply.output, separator)
    let errors = ShellReply.split(reply.error, separator)
    return paths.indices.map { index in
      guard index < outputs.count else { return .failure(.io) }
      if outputs[index].status == 0 { return .success(outputs[index].bytes) }
      guard index < errors.count else { return .failure(.io) }
      return .failure(ShellReply.errno(inMessage: errors[index]) ?? .io)
    }
  }

  package func list(
    _ directory: TargetPath, depth: Int, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [FileEntry] {
    let top = ShellWords.quote(directory.string)
    let limits = "-mindepth 1 -maxdepth \(max(0, depth)) -xdev"
    // Kinds and modes from stat, links apart, names ended by NUL where find can, by newline else.
    let reply = try run(
      """
      [ -d \(top) ] || { echo 'x: No such file or directory' >&2; exit_status=1; }
      if find -H \(top) -maxdepth 0 -printf '' 2>/dev/null; then
      find -H \(top) \(limits) -printf '%y %m %p\\0%l\\0' 2>/dev/null
      else
      find -H \(top) \(limits) 2>/dev/null | while IFS= read -r p; do
      if [ -L "$p" ]; then printf 'l 777 %s\\000%s\\000' "$p" "$(readlink "$p")"
      elif [ -d "$p" ]; then printf 'd %s %s\\000\\000' "$(stat -c %a "$p")" "$p"
      elif [ -f "$p" ]; then printf 'f %s %s\\000\\000' "$(stat -c %a "$p")" "$p"
      else printf 'o 0 %s\\000\\000' "$p"; fi; done
      fi
      """, until: deadline)
    if let error = ShellReply.errno(inMessage: reply.error) {
      throw ConnectionFailure(error, path: directory, connection: name)
    }
    var entries: [FileEntry] = []
    let fields = reply.output.split(separator: 0, omittingEmptySubsequences: false)
    for index in stride(from: 0, to: fields.count - 1, by: 2) {
      let text = String(decoding: fields[index], as: UTF8.self)
      let parts = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, let mode = UInt16(parts[1], radix: 8) else { continue }
      let kind: FileEntry.Kind =
        switch parts[0] {
        case "f": .file
        case "d": .directory
        case "l": .link(to: String(decoding: fields[index + 1], as: UTF8.self))
        default: .other
        }
      entries.append(FileEntry(path: TargetPath(String(parts[2])), kind: kind, mode: mode))
    }
    // Depth first, sorted by name, as a walk would give them.
    return entries.map { ($0.path.string.split(separator: "/"), $0) }
      .sorted { $0.0.lexicographicallyPrecedes($1.0) }.map(\.1)
  }

  package func remove(_ path: TargetPath, until deadline: Deadline) async throws(ConnectionFailure)
  {
    let reply = try run("rm -rf -- \(ShellWords.quote(path.string))", until: deadline)
    guard reply.status == 0 else {
      throw ConnectionFailure(
        ShellReply.errno(inMessage: reply.error) ?? .io, path: path, connection: name)
    }
  }

  package func checksum(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<String, Errno>] {
    try each(paths, "sha256sum -- \"$f\"", until: deadline).map { result in
      result.flatMap { bytes in
        // A name with a backslash is escaped, and says so by a leading one.
        let digits = bytes.drop { $0 == UInt8(ascii: "\\") }.prefix(64)
        guard digits.count == 64 else { return .failure(.io) }
        return .success(String(decoding: digits, as: UTF8.self))
      }
    }
  }

  package func findExecutables(
    _ names: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetPath?] {
    let words = names.map(ShellWords.quote).joined(separator: " ")
    let reply = try run(
      "for n in \(words); do kelvin_find \"$n\"; printf '%s\\000' \"$kelvin_path\"; done",
      until: deadline)
    let paths = reply.output.split(separator: 0, omittingEmptySubsequences: false)
    return names.indices.map { index in
      guard index < paths.count, !paths[index].isEmpty else { return nil }
      return TargetPath(String(decoding: paths[index], as: UTF8.self))
    }
  }
}
