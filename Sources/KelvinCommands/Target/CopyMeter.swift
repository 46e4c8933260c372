internal import KelvinModel
internal import Synchronization

/// Counts what is copied, and shows it: one line that is rewritten, on terminals only.
final class CopyMeter: Sendable {
  struct Summary: Sendable, Hashable {
    var files = 0
    var bytes: Int64 = 0
    var nanoseconds: Int64 = 0

    /// `3 files, 1.2 MiB, 0.4 s (3.0 MiB/s)`
    var text: String {
      let rate = nanoseconds > 0 ? Double(bytes) * 1e9 / Double(nanoseconds) : 0
      return "\(files) file\(files == 1 ? "" : "s"), \(ByteCount.text(bytes)), "
        + "\(DurationText.short(nanoseconds)) (\(ByteCount.text(Int64(min(rate, 1e15))))/s)"
    }

    /// For `--format json`.
    var value: Value {
      [
        "files": .integer(Int64(files)), "bytes": .integer(bytes),
        "seconds": .number(Double(nanoseconds) / 1e9)
      ]
    }
  }

  private let start = MonotonicTime.now
  private let total: Int64
  private let files: Int
  private struct State {
    var summary = Summary()
    var path = ""
    /// Of the file that is being copied.
    var current: Int64 = 0
  }
  private let state = Mutex(State())

  /// - Parameter total: bytes in all; 0 when that is not known.
  init(total: Int64, files: Int) {
    self.total = total
    self.files = files
  }

  /// What has been copied by now.
  var summary: Summary {
    var summary = state.withLock { $0.summary }
    summary.nanoseconds = MonotonicTime.now - start
    return summary
  }

  /// A file's copy begins.
  func begin(_ path: String) {
    state.withLock { state in
      state.path = path
      state.current = 0
    }
    show()
  }

  /// So many bytes of the file have been handed over.
  func tell(_ done: Int64, _ total: Int64?) {
    state.withLock { $0.current = done }
    show()
  }

  private func show() {
    let terminal = Terminal.standardError
    guard terminal.isTerminal else { return }
    var (summary, path, current) = state.withLock { ($0.summary, $0.path, $0.current) }
    summary.bytes += current
    summary.nanoseconds = MonotonicTime.now - start
    terminal.write(
      "\r\u{1b}[K"
        + Self.line(summary, total: total, files: files, path: path, columns: terminal.columns))
  }

  /// A file has been copied.
  func end(size: Int64) {
    state.withLock { state in
      state.summary.files += 1
      state.summary.bytes += size
      state.current = 0
    }
  }

  /// Takes the line away.
  func finish() {
    if Terminal.standardError.isTerminal { Terminal.standardError.write("\r\u{1b}[K") }
  }

  /// `[2/17] 45 %  21.3 MiB/s  /data/tests/a`
  static func line(
    _ summary: Summary, total: Int64, files: Int, path: String, columns: Int
  ) -> String {
    var parts = ["[\(min(summary.files + 1, files))/\(files)]"]
    if total > 0 { parts.append("\(summary.bytes * 100 / total) %") }
    if summary.nanoseconds > 0, summary.bytes > 0 {
      let rate = Double(summary.bytes) * 1e9 / Double(summary.nanoseconds)
      parts.append("\(ByteCount.text(Int64(min(rate, 1e15))))/s")
    }
    parts.append(path)
    return String(parts.joined(separator: "  ").prefix(max(10, columns - 1)))
  }
}
