internal import Glibc
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore
internal import KelvinSystem
internal import Synchronization

/// Shows a run while it goes on: a status line on a terminal, plain lines otherwise, JSON lines on
/// request. Everything goes to standard error; results go to standard output.
final class ProgressPrinter: RunObserver {
  enum Format: Sendable { case text, json }
  enum Level: Int, Sendable { case quiet, normal, verbose }

  private let terminal: Terminal
  private let format: Format
  private let level: Level
  private let showsStatusLine: Bool
  private let status = Mutex(Status())
  private let load = Mutex(CPULoad())
  private let lastRefresh = Mutex<Int64>(0)
  private let isDone = Interrupt()

  init(terminal: Terminal, format: Format, level: Level, endedBefore: Int) {
    self.terminal = terminal
    self.format = format
    self.level = level
    showsStatusLine = terminal.isTerminal && format == .text && level != .quiet
    status.withLock { $0.endedBefore = endedBefore }
    if showsStatusLine { startRefreshing() }
  }

  func observe(_ event: RunEvent) {
    if format == .json {
      if level != .quiet { terminal.line(JSONLine.text(of: event)) }
      return
    }
    status.withLock { update(&$0, event) }
    if let line = text(of: event) { show(line) } else { refresh(atMostEvery: 100_000_000) }
    if case .runEnded = event { finish() }
  }

  private func update(_ status: inout Status, _ event: RunEvent) {
    let now = MonotonicTime.now.nanoseconds
    switch event {
    case .runStarted(_, let total, let board):
      status.total = total
      status.board = board
      status.start = now
    case .jobStarted(_, let spec, let iteration, let attempt):
      status.current = "\(spec.label) \(iteration)" + (attempt > 1 ? " attempt \(attempt)" : "")
      status.jobStart = now
      status.stage = .starting
    case .stage(let stage, _):
      status.stage = stage
    case .attemptEnded(let report):
      guard let outcome = report.jobOutcome else { return }
      status.ended += 1
      if outcome.verdict != .ok { status.notOK += 1 }
    case .jobsSkipped(let positions, _):
      status.ended += positions.count
      status.notOK += positions.count
    case .recovered, .checked, .logged, .processOutputs, .runEnded: break
    }
  }

  /// The plain line for an event; nil when it has none at this level.
  private func text(of event: RunEvent) -> String? {
    switch event {
    case .attemptEnded(let report):
      let isFinal = report.jobOutcome != nil
      guard level != .quiet, isFinal || level == .verbose || report.outcome.verdict != .ok,
        !showsStatusLine || report.outcome.verdict != .ok || level == .verbose
      else { return nil }
      let total = status.withLock { $0.total }
      var line =
        "[\(report.position + 1)/\(total)] \(report.spec.id) \(report.spec.label) "
        + "iteration \(report.iteration)"
      if report.attempt > 1 || !isFinal { line += " attempt \(report.attempt)" }
      let color: Terminal.Color =
        switch report.outcome.verdict {
        case .ok: .green
        case .partial, .aborted, .skipped: .yellow
        case .failed: .red
        }
      line += ": " + terminal.paint(report.outcome.verdict.text, color)
      if report.outcome.reason.isEmpty {
        line += " (\(DurationText.short(report.duration)))"
      } else {
        line += ": \(report.outcome.reason)"
      }
      if !isFinal { line += "; trying again" }
      return line
    case .jobsSkipped(let positions, let reason):
      return level == .quiet ? nil : "\(positions.count) job(s) skipped: \(reason)"
    case .logged(let record):
      if record.level == .info {
        guard level == .verbose, record.source != "runner" else { return nil }
        return "\(record.source): \(record.message)"
      }
      guard level != .quiet else { return nil }
      let word = record.level == .error ? "error" : "warning"
      return terminal.paint("\(word): ", record.level == .error ? .red : .yellow)
        + "\(record.source): \(record.message)"
    default: return nil
    }
  }

  private func show(_ line: String) {
    terminal.write((showsStatusLine ? "\r\u{1b}[K" : "") + line + "\n")
    refresh()
  }

  /// Writes the status line again.
  ///
  /// - Parameter interval: nanoseconds within which it is not written twice; jobs of a millisecond
  ///   would otherwise cost more in the terminal than in Kelvin.
  private func refresh(atMostEvery interval: Int64 = 0) {
    guard showsStatusLine, !isDone.isRaised else { return }
    let now = MonotonicTime.now.nanoseconds
    let isDue = lastRefresh.withLock { last in
      guard now - last >= interval else { return false }
      last = now
      return true
    }
    guard isDue else { return }
    let line = status.withLock { $0.line(now: now, columns: terminal.columns) }
    terminal.write("\r\u{1b}[K" + line)
  }

  private func finish() {
    guard showsStatusLine else { return }
    isDone.raise()
    terminal.write("\r\u{1b}[K")
  }

  /// Twice a second, so that time and load move while a job runs.
  private func startRefreshing() {
    _ = try? NamedThread("progress") { self.refreshUntilDone() }
  }

  private func refreshUntilDone() {
    while !isDone.isRaised {
      var waiting = pollfd(fd: isDone.descriptor, events: Int16(POLLIN), revents: 0)
      poll(&waiting, 1, 500)
      let busy = load.withLock { $0.sample() }
      status.withLock { $0.load = busy }
      refresh()
    }
  }
}

/// The busy share of this machine's CPUs between two looks at /proc/stat.
struct CPULoad {
  private var last: (busy: Double, total: Double)?

  /// 0...1 since the last call; nil at the first one, or when /proc/stat cannot be read.
  mutating func sample() -> Double? {
    guard let bytes = try? HostFile.read("/proc/stat", limit: 256) else { return nil }
    let fields = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first?
      .split(separator: " ").dropFirst().compactMap { Double($0) }
    guard let fields, fields.count >= 5 else { return nil }
    let total = fields.prefix(8).reduce(0, +)
    let now = (busy: total - fields[3] - fields[4], total: total)
    defer { last = now }
    guard let last, now.total > last.total else { return nil }
    return max(0, min(1, (now.busy - last.busy) / (now.total - last.total)))
  }
}
