internal import CLinux
internal import Glibc
public import KelvinModel
public import KelvinStore
public import Logging
internal import Synchronization

/// A line that was logged at level warning or above.
public struct LogRecord: Sendable, Hashable {
  public var level: EventRecord.Level
  public var source: String
  public var message: String
}

/// run.log: what a person would want to read, one line each, appended with one write(2), so that
/// nothing is lost with the process.
///
/// From any thread. Warnings and errors are also kept until the runner takes them, to be sent as
/// signals on the board's thread.
public final class RunLog: Sendable {
  private struct State {
    var pending: [LogRecord] = []
    /// While log signals are being sent, what is logged is written but not queued: no recursion.
    var isSuppressed = false
    var writeError: Errno?
  }
  private let descriptor: Int32
  private let state = Mutex(State())
  private let observer: @Sendable (EventRecord) -> Void

  /// Opens `DIRECTORY/run.log` for appending.
  ///
  /// - Parameter observer: is told every line; called on the thread that logs.
  public init(
    directory: String, observer: @escaping @Sendable (EventRecord) -> Void
  ) throws(PlainFailure) {
    let path = directory + "/run.log"
    descriptor = kelvin_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw PlainFailure(.infrastructure, "\(path): \(Errno.current)")
    }
    self.observer = observer
  }

  deinit { close(descriptor) }

  /// Writes a line, and tells the observer.
  public func log(_ level: EventRecord.Level, source: String, _ message: String) {
    var line = WallTime.text(nanoseconds: MonotonicTime.wallNanoseconds)
    line += level == .info ? " " : level == .warning ? " WARNING " : " ERROR "
    line += source
    line += ": "
    // One event, one line.
    line += message.contains("\n") ? message.replacing("\n", with: "\n    ") : message
    line += "\n"
    let count = line.utf8.count
    let written = line.withUTF8 { write(descriptor, $0.baseAddress, count) }
    state.withLock { state in
      if written != count { state.writeError = written < 0 ? .current : .noSpace }
      if level != .info, !state.isSuppressed, state.pending.count < 1000 {
        state.pending.append(LogRecord(level: level, source: source, message: message))
      }
    }
    observer(EventRecord(level, source: source, message))
  }

  /// The first error of a write, if there was one; the log itself cannot report it.
  var writeError: Errno? { state.withLock { $0.writeError } }

  /// Takes what waits to be sent as signals.
  func takePending() -> [LogRecord] {
    state.withLock { state in
      guard !state.pending.isEmpty else { return [] }
      defer { state.pending = [] }
      return state.pending
    }
  }

  /// While true, nothing new is queued.
  func suppress(_ isSuppressed: Bool) { state.withLock { $0.isSuppressed = isSuppressed } }

  /// A swift-log logger whose lines go here under `source`.
  public func logger(_ source: String) -> Logger {
    Logger(label: source) { label in Handler(log: self, source: label) }
  }

  private struct Handler: LogHandler {
    let log: RunLog
    let source: String
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let level: EventRecord.Level =
        event.level >= .error ? .error : event.level >= .warning ? .warning : .info
      log.log(level, source: source, "\(event.message)")
    }
  }
}
