internal import Glibc
internal import KelvinModel

/// An event that a kernel can trace.
struct TraceEvent: Sendable, Hashable, Comparable, CustomStringConvertible {
  let system: String
  let name: String

  /// As trace-cmd and the kernel write it.
  var description: String { system + ":" + name }
  /// Below `events`.
  var directory: String { system + "/" + name }

  static func < (a: TraceEvent, b: TraceEvent) -> Bool {
    (a.system, a.name) < (b.system, b.name)
  }

  /// Reads the file `available_events`: `SYSTEM:NAME` lines. Lines that name no file are left out.
  static func all(_ text: [UInt8]) -> [TraceEvent] {
    var events: Set<TraceEvent> = []
    for line in KernelText(text) {
      let parts = KernelText.string(line).split(
        separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 2, parts.allSatisfy(isFileName) else { continue }
      events.insert(TraceEvent(system: String(parts[0]), name: String(parts[1])))
    }
    return events.sorted()
  }

  private static func isFileName(_ text: Substring) -> Bool {
    !text.isEmpty && !text.contains("/") && text != "." && text != ".."
      && !text.utf8.contains(0)
  }

  /// Whether a pattern means the event: `SYSTEM:NAME`, or one of the two; `*`, `?` and `[...]` in
  /// either.
  func matches(_ pattern: String) -> Bool {
    let parts = pattern.replacing("/", with: ":").split(
      separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2 {
      return fnmatch(String(parts[0]), system, 0) == 0 && fnmatch(String(parts[1]), name, 0) == 0
    }
    return fnmatch(pattern, name, 0) == 0 || fnmatch(pattern, system, 0) == 0
  }

  /// The events that any of the patterns means, sorted, and the patterns that mean none.
  static func pick(
    _ patterns: [String], from events: [TraceEvent]
  ) -> (events: [TraceEvent], missing: [String]) {
    var picked: Set<TraceEvent> = []
    var missing: [String] = []
    for pattern in patterns {
      let found = events.filter { $0.matches(pattern) }
      if found.isEmpty { missing.append(pattern) }
      picked.formUnion(found)
    }
    return (picked.sorted(), missing)
  }

  /// Says of patterns that mean no event what was probably meant.
  static func unknown(
    _ option: String, _ missing: [String], among events: [TraceEvent]
  ) -> PlainFailure {
    let known = events.map(\.name) + Set(events.map(\.system)).sorted()
    let whole = events.map(\.description)
    let nearest = missing.compactMap { pattern in
      let word = pattern.filter { $0 != "*" }
      return NearestName.of(word, in: word.contains(":") ? whole : known)
        .map { missing.count == 1 ? $0 : "\($0) for \(pattern)" }
    }
    return PlainFailure(
      .configuration, "\(option): this kernel has no event \(missing.shortList)",
      hint: nearest.isEmpty
        ? "available_events in the target's tracefs lists what it has"
        : "did you mean \(nearest.joined(separator: ", "))?")
  }
}
