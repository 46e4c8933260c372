internal import KelvinConnections
internal import KelvinModel
internal import Synchronization

/// Shows a flash while it goes on: one line that is rewritten, on terminals only, and what the boot
/// loader says.
final class FlashPrinter: Sendable {
  private struct State {
    var start = MonotonicTime.now
    var lastWritten: Int64 = 0
    var line = ""
  }
  private let terminal: Terminal
  private let state = Mutex(State())

  init(_ terminal: Terminal) { self.terminal = terminal }

  /// Shows how far it is; not more often than ten times a second.
  func show(_ progress: FastbootProgress, _ partition: String) {
    guard terminal.isTerminal else { return }
    let now = MonotonicTime.now
    let line = state.withLock { state -> String? in
      guard now.nanoseconds - state.lastWritten > 100_000_000 || progress.stage != .sending else {
        return nil
      }
      state.lastWritten = now.nanoseconds
      state.line = Self.line(
        progress, partition, nanoseconds: now - state.start, columns: terminal.columns)
      return state.line
    }
    if let line { terminal.write("\r\u{1b}[K" + line) }
  }

  /// `system: sending part 2 of 5  45 %  21.3 MiB/s`
  static func line(
    _ progress: FastbootProgress, _ partition: String, nanoseconds: Int64, columns: Int
  ) -> String {
    let part = progress.parts > 1 ? " part \(progress.part) of \(progress.parts)" : ""
    var text =
      switch progress.stage {
      case .sending: "\(partition): sending\(part)"
      case .writing: "\(partition): writing\(part)"
      case .done: "\(partition): written"
      }
    if progress.total > 0 { text += "  \(progress.sent * 100 / progress.total) %" }
    if nanoseconds > 0, progress.sent > 0 {
      let rate = Double(progress.sent) * 1e9 / Double(nanoseconds)
      text += "  \(ByteCount.text(Int64(min(rate, 1e15))))/s"
    }
    return String(text.prefix(max(10, columns - 1)))
  }

  /// A line of the boot loader's.
  func say(_ line: String) {
    let before = state.withLock { $0.line }
    terminal.write(
      (before.isEmpty ? "" : "\r\u{1b}[K") + "bootloader: \(line)\n" + before)
  }

  /// Takes the line away.
  func finish() {
    let line = state.withLock { state in
      defer { state.line = "" }
      return state.line
    }
    if !line.isEmpty { terminal.write("\r\u{1b}[K") }
  }
}
