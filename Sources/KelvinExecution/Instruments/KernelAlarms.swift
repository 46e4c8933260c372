internal import KelvinModel
internal import KelvinStore

/// Finds the lines by which a Linux kernel says that it is in trouble, in text that comes in pieces.
///
/// A line ends with a line feed or a carriage return. What is kept of a line is bounded, so that a
/// console that never ends one costs no memory: alarms are looked for in its first 4096 bytes.
///
/// Sources of the words: Linux kernel/panic.c (`Kernel panic - not syncing`), the architectures'
/// die() (`Oops`: x86 `Oops: 0002 [#1]`, arm64 `Internal error: Oops: ...`), lib/bug.c, mm, locking
/// and kernel/watchdog.c (`BUG: ...`).
struct KernelAlarms {
  /// Lines with an alarm.
  private(set) var count = 0
  /// The first of them, made fit to be shown.
  private(set) var first: [String] = []
  private var line: [UInt8] = []

  private static let words = ["Kernel panic", "Oops", "BUG:"].map { Array($0.utf8) }
  private static let lineLimit = 4096
  private static let shownLines = 3
  private static let shownCharacters = 160

  /// Takes the next piece.
  mutating func take(_ bytes: [UInt8]) {
    for byte in bytes {
      if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
        finish()
      } else if line.count < KernelAlarms.lineLimit {
        line.append(byte)
      }
    }
  }

  /// Takes what has come as a whole line; at the end of the text.
  mutating func finish() {
    defer { line.removeAll(keepingCapacity: true) }
    guard KernelAlarms.words.contains(where: { KernelAlarms.contains(line, $0) }) else { return }
    count += 1
    guard first.count < KernelAlarms.shownLines else { return }
    let text = KernelText.string(line[...]).prefix(KernelAlarms.shownCharacters)
    // Colors and other control sequences stay in the artifact.
    first.append(String(text.map { $0.unicodeScalars.allSatisfy(\.isPlain) ? $0 : "\u{fffd}" }))
  }

  /// Whether the word is in the line, and not the end of another one: `DEBUG:` is no alarm.
  private static func contains(_ line: [UInt8], _ word: [UInt8]) -> Bool {
    guard line.count >= word.count else { return false }
    return (0...(line.count - word.count)).contains { begin in
      line[begin] == word[0] && line[begin...].starts(with: word)
        && (begin == 0 || !isLetter(line[begin - 1]))
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }

  /// Records the alarms with the job: a metric in any case, a warning when there are some.
  func record(as metric: String, of what: String, in job: JobContext, source: String) {
    job.add(Metric(metric, .integer(Int64(count)), lowerIsBetter: true, source: source))
    guard count > 0 else { return }
    job.record(
      .warning, source: source,
      "\(count) line(s) of \(what) tell of a kernel in trouble, first: "
        + first.map { "'\($0)'" }.joined(separator: ", "))
  }
}

extension Unicode.Scalar {
  /// Neither a control character of C0 or C1 nor DEL.
  fileprivate var isPlain: Bool { value >= 0x20 && !(0x7f...0x9f).contains(value) }
}
