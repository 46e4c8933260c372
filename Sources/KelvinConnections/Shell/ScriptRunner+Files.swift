internal import Glibc
package import KelvinModel

extension ScriptRunner {
  package func read(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<[UInt8], Errno>] {
    guard !paths.isEmpty else { return [] }
    for atOnce in [true, false] {
      let values = ShellValues(limit: readLimit)
      let bytes = try output(of: values.readScript(paths, atOnce: atOnce), until: deadline)
      if let results = values.read(bytes, count: paths.count) { return results }
    }
    return paths.map { _ in .failure(.io) }
  }

  package func write(
    _ values: [(path: TargetPath, bytes: [UInt8])], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<Void, Errno>] {
    guard !values.isEmpty else { return [] }
    let script = ShellValues(limit: readLimit)
    return script.written(
      try output(of: script.writeScript(values), until: deadline), count: values.count)
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
      find -H \(top) \(limits) -printf '%y %m %s %p\\0%l\\0' 2>/dev/null
      else
      find -H \(top) \(limits) 2>/dev/null | while IFS= read -r p; do
      if [ -L "$p" ]; then printf 'l 777 0 %s\\000%s\\000' "$p" "$(readlink "$p")"
      elif [ -d "$p" ]; then printf 'd %s 0 %s\\000\\000' "$(stat -c %a "$p")" "$p"
      elif [ -f "$p" ]; then printf 'f %s %s\\000\\000' "$(stat -c '%a %s' "$p")" "$p"
      else printf 'o 0 0 %s\\000\\000' "$p"; fi; done
      fi
      """, until: deadline)
    if let error = ShellReply.errno(inMessage: reply.error) {
      throw ConnectionFailure(error, path: directory, connection: name)
    }
    var entries: [FileEntry] = []
    let fields = reply.output.split(separator: 0, omittingEmptySubsequences: false)
    for index in stride(from: 0, to: fields.count - 1, by: 2) {
      let text = String(decoding: fields[index], as: UTF8.self)
      let parts = text.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
      guard parts.count == 4, let mode = UInt16(parts[1], radix: 8) else { continue }
      let kind: FileEntry.Kind =
        switch parts[0] {
        case "f": .file
        case "d": .directory
        case "l": .link(to: String(decoding: fields[index + 1], as: UTF8.self))
        default: .other
        }
      entries.append(
        FileEntry(
          path: TargetPath(String(parts[3])), kind: kind, mode: mode,
          size: kind == .file ? Int64(parts[2]) : nil))
    }
    // Depth first, sorted by name, as a walk would give them.
    return entries.map { ($0.path.string.split(separator: "/"), $0) }
      .sorted { $0.0.lexicographicallyPrecedes($1.0) }.map(\.1)
  }

  package func remove(_ path: TargetPath, until deadline: Deadline) async throws(ConnectionFailure)
  {
    try path.checkRemovable(connection: name)
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
    let output = try output(
      of: "for n in \(words); do kelvin_find \"$n\"; printf '%s\\000' \"$kelvin_path\"; done",
      until: deadline)
    let paths = output.split(separator: 0, omittingEmptySubsequences: false)
    return names.indices.map { index in
      guard index < paths.count, !paths[index].isEmpty else { return nil }
      return TargetPath(String(decoding: paths[index], as: UTF8.self))
    }
  }
}
