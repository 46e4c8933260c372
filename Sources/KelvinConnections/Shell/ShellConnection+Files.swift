internal import Glibc
public import KelvinModel

extension ShellConnection {
  public func read(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<[UInt8], Errno>] {
    guard !paths.isEmpty else { return [] }
    for atOnce in [true, false] {
      let values = ShellValues()
      let bytes = try output(of: values.readScript(paths, atOnce: atOnce), until: deadline)
      if let results = values.read(bytes, count: paths.count) { return results }
    }
    return paths.map { _ in .failure(.io) }
  }

  public func write(
    _ values: [(path: TargetPath, bytes: [UInt8])], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<Void, Errno>] {
    guard !values.isEmpty else { return [] }
    let script = ShellValues()
    return script.written(
      try output(of: script.writeScript(values), until: deadline), count: values.count)
  }

  /// Runs a snippet for each file `$f`, in one round trip: its output, or the error that its tool
  /// reported.
  private func each(
    _ paths: [TargetPath], _ snippet: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> [Result<[UInt8], Errno>] {
    guard !paths.isEmpty else { return [] }
    let separator = ShellConnection.separator()
    let words = paths.map { ShellWords.quote($0.string) }.joined(separator: " ")
    let reply = try run(
      "for f in \(words); do \(snippet); printf '\\n%s %d\\n' \(separator) $?; "
        + "printf '\\n%s\\n' \(separator) >&2; done", until: deadline)
    let outputs = ShellConnection.splitWithStatus(reply.output, separator)
    let errors = ShellConnection.split(reply.error, separator)
    return paths.indices.map { index in
      guard index < outputs.count else { return .failure(.io) }
      if outputs[index].status == 0 { return .success(outputs[index].bytes) }
      guard index < errors.count else { return .failure(.io) }
      return .failure(ShellConnection.errno(inMessage: errors[index]) ?? .io)
    }
  }

  public func list(
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
    if let error = ShellConnection.errno(inMessage: reply.error) {
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

  public func remove(_ path: TargetPath, until deadline: Deadline) async throws(ConnectionFailure) {
    let reply = try run("rm -rf -- \(ShellWords.quote(path.string))", until: deadline)
    guard reply.status == 0 else {
      throw ConnectionFailure(
        ShellConnection.errno(inMessage: reply.error) ?? .io, path: path, connection: name)
    }
  }

  public func checksum(
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

  // MARK: Frames within a reply

  private static func separator() -> String {
    var generator = SystemRandomNumberGenerator()
    let words: [UInt64] = [generator.next(), generator.next()]
    return "kelvin-part-" + words.map { String($0, radix: 16) }.joined()
  }

  /// The parts before each line that is the separator.
  static func split(_ bytes: [UInt8], _ separator: String) -> [[UInt8]] {
    splitRaw(bytes, [10] + Array(separator.utf8)).dropLast().map { Array($0.drop { $0 == 10 }) }
  }

  /// The parts before each line `separator status`.
  static func splitWithStatus(
    _ bytes: [UInt8], _ separator: String
  ) -> [(bytes: [UInt8], status: Int32)] {
    let parts = splitRaw(bytes, [10] + Array(separator.utf8))
    var result: [(bytes: [UInt8], status: Int32)] = []
    for index in parts.indices.dropLast() {
      // Each later part begins with the status of the one before, and a newline.
      var content = parts[index]
      if index > 0, let newline = content.firstIndex(of: 10) { content = content[(newline + 1)...] }
      let next = parts[index + 1].prefix { $0 != 10 }
      let status = Int32(String(decoding: next.dropFirst(), as: UTF8.self)) ?? -1
      result.append((Array(content), status))
    }
    return result
  }

  private static func splitRaw(_ bytes: [UInt8], _ separator: [UInt8]) -> [ArraySlice<UInt8>] {
    var parts: [ArraySlice<UInt8>] = []
    var start = 0
    var index = 0
    while index + separator.count <= bytes.count {
      if bytes[index] == separator[0],
        bytes[index..<(index + separator.count)].elementsEqual(separator)
      {
        parts.append(bytes[start..<index])
        index += separator.count
        start = index
      } else {
        index += 1
      }
    }
    parts.append(bytes[start...])
    return parts
  }

  /// The errno whose text (in the C locale) ends a message of a tool.
  static func errno(inMessage bytes: [UInt8]) -> Errno? {
    for line in bytes.split(separator: 10) {
      let text = String(decoding: line, as: UTF8.self)
      guard let colon = text.lastIndex(of: ":") else { continue }
      let message = text[text.index(after: colon)...].trimmingASCIIWhitespace
      if let error = errnoByText[String(message)] { return error }
    }
    return nil
  }

  private static let errnoByText: [String: Errno] = {
    var table: [String: Errno] = [:]
    for number in (1...133).reversed() {
      table[Errno(Int32(number)).description] = Errno(Int32(number))
    }
    // busybox and older tools differ in these.
    table["I/O error"] = .io
    table["nonexistent directory"] = .notFound
    return table
  }()
}
