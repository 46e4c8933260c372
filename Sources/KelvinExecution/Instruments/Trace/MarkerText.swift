internal import KelvinConnections
internal import KelvinModel

/// What the `trace` file of a tracing buffer tells of markers.
///
/// Source of the form: kernel/trace/trace.c (print_trace_header, trace_print_context) and
/// trace_output.c (trace_print_print): `  task-pid   [000] ...1.   12.345678: tracing_mark_write: text`. Times
/// are rounded to microseconds there.
struct MarkerText: Sendable {
  struct Marker: Sendable, Hashable {
    /// On the buffer's clock, in nanoseconds.
    var time: Int64
    var text: String
  }
  private(set) var markers: [Marker] = []

  /// How far a time is rounded, either way, in nanoseconds.
  static let rounding: Int64 = 500
  /// What Kelvin itself writes, to compare clocks.
  static let clockPrefix = "kelvin-clock:"

  /// Takes the lines that hold a marker of Kelvin's; others are passed over.
  init(_ bytes: [UInt8]) {
    for line in KernelText(bytes).map(KernelText.string) {
      if let marker = MarkerText.marker(line) { markers.append(marker) }
    }
  }

  /// The marker of a line; nil for any other.
  static func marker(_ line: String) -> Marker? {
    var rest = line[...]
    // The name of a task may hold anything, but never what stands before a marker's text.
    while let place = rest.firstRange(of: ": kelvin-") {
      let words = line[..<place.lowerBound].split(separator: " ")
      if words.count >= 3, let time = nanoseconds(words[words.count - 2]) {
        return Marker(
          time: time, text: String(line[line.index(place.lowerBound, offsetBy: 2)...]))
      }
      rest = rest[place.upperBound...]
    }
    return nil
  }

  /// `12.345678:`, in nanoseconds.
  static func nanoseconds(_ word: Substring) -> Int64? {
    guard word.last == ":" else { return nil }
    return time(word.dropLast())
  }

  /// `12.345678`, in nanoseconds.
  static func time(_ text: Substring) -> Int64? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].count == 6, parts[0].count <= 10,
      parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }),
      let seconds = Int64(parts[0]), let micro = Int64(parts[1])
    else { return nil }
    return seconds * 1_000_000_000 + micro * 1000
  }

  /// The marks of phases, in the order of time.
  var phases: [(time: Int64, name: String?)] {
    markers.compactMap { marker in
      PhaseMark.name(inLine: marker.text).map { (marker.time, $0) }
    }.sorted { $0.0 < $1.0 }
  }

  /// The times of Kelvin's own questions, by their numbers.
  var clock: [Int: Int64] {
    var times: [Int: Int64] = [:]
    for marker in markers where marker.text.hasPrefix(MarkerText.clockPrefix) {
      let word = marker.text.dropFirst(MarkerText.clockPrefix.count)
      if let number = Int(word.filter { $0 != " " }) { times[number] = marker.time }
    }
    return times
  }
}

/// How much of a tracing buffer was overwritten, by the `stats` of its CPUs.
struct MarkerLosses: Sendable, Hashable {
  /// Events that are lost.
  private(set) var count: Int64 = 0
  /// What came later than this is all there, on the buffer's clock, in nanoseconds.
  private(set) var completeSince = Int64.min

  /// Takes the `stats` of all CPUs, one after the other (kernel/trace/trace.c, tracing_stats_read).
  init(_ bytes: [UInt8]) {
    var lost: Int64 = 0
    for line in KernelText(bytes).map(KernelText.string) {
      let sides = line.split(separator: ":", maxSplits: 1)
      guard sides.count == 2 else { continue }
      let value = sides[1].drop { $0 == " " }
      switch sides[0] {
      case "entries": lost = 0
      case "overrun", "dropped events", "commit overrun":
        guard let number = Int64(value), number > 0 else { continue }
        lost += number
        count &+= number
        // What was refused in the end, and not overwritten at the beginning, leaves nothing complete.
        if sides[0] != "overrun" { completeSince = .max }
      case "oldest event ts":
        if lost > 0, let time = MarkerText.time(value) {
          completeSince = max(completeSince, time)
        }
      default: break
      }
    }
  }
}
