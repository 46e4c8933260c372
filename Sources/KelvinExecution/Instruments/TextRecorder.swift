internal import CLinux
internal import Glibc
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets
internal import Synchronization

/// Reads whole files at a fixed period on a thread of its own, and writes them to a CSV file on the
/// host as they come.
///
/// Its executor is that thread, and recording blocks it: ``stop()`` comes from outside.
actor TextRecorder {
  /// What a recording came to.
  struct Result: Sendable {
    var summary = SampleSummary()
    var unreadable = 0
    var leftOutBytes = 0
    /// Why it ended before it was stopped.
    var failure: PlainFailure?
  }

  private let files: [SampledFile]
  private let period: Int64
  private let limit: Int
  private let file: CSVFile
  private let connection: any Connection
  private let finish = Interrupt()
  private let thread = BoardThread(name: "kelvin-text")
  private let task = Mutex<Task<Result, Never>?>(nil)

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// Creates the CSV file with its header; reading begins at ``start()``.
  init(
    _ files: [SampledFile], period: Int64, to path: String, limit: Int, _ job: JobContext
  ) throws(PlainFailure) {
    self.files = files
    self.period = period
    self.limit = limit
    connection = job.target.connection
    file = try CSVFile(path)
    try file.write(CSVText(header: ["time_ns", "file", "error", "content"]).bytes)
  }

  /// Starts reading; the first tick is due at once.
  func start() {
    // Begins on this actor's thread, not on the pool, which others may hold up.
    let recording = Task { await record() }
    task.withLock { $0 = recording }
  }

  /// Stops and waits for a reading that is going on. Idempotent.
  nonisolated func stop() async -> Result {
    finish.raise()
    return await task.withLock({ $0 })?.value ?? Result()
  }

  private func record() async -> Result {
    var result = Result()
    var written = 0
    var lateness: Int64 = 0
    let start = MonotonicTime.now.nanoseconds
    var due = start
    while !finish.isRaised {
      let late = MonotonicTime.now.nanoseconds - due
      result.summary.ticks += 1
      lateness += late
      result.summary.maxLateness = max(result.summary.maxLateness, late)
      if late > period / 10 { result.summary.lateTicks += 1 }
      do {
        let row = try await readAll(&result)
        if written + row.count > limit {
          result.leftOutBytes += row.count
        } else {
          try file.write(row)
          written += row.count
        }
      } catch {
        if !finish.isRaised { result.failure = PlainFailure(error) }
        break
      }
      due += period
      let behind = (MonotonicTime.now.nanoseconds - due) / period
      if behind > 0 {
        result.summary.overruns += behind
        result.summary.ticks += behind
        due += behind * period
      }
      wait(until: due)
    }
    let taken = result.summary.ticks - result.summary.overruns
    if taken > 0 { result.summary.meanLateness = Double(lateness) / Double(taken) }
    return result
  }

  private func readAll(_ result: inout Result) async throws -> [UInt8] {
    let begin = MonotonicTime.now
    let contents = try await connection.read(
      files.map(\.path), until: Deadline(time: nil, interrupt: finish))
    let middle = begin.nanoseconds + (MonotonicTime.now - begin) / 2
    var rows = CSVText()
    for (file, content) in zip(files, contents) {
      switch content {
      case .success(let bytes): rows.add(["\(middle)", file.label, ""], last: bytes)
      case .failure(let error):
        result.unreadable += 1
        rows.add(["\(middle)", file.label, error.description], last: [])
      }
    }
    return rows.bytes
  }

  /// Waits for a tick, or for the end: whole milliseconds can be cut short, the rest cannot.
  private func wait(until due: Int64) {
    var wait = pollfd(fd: finish.descriptor, events: Int16(POLLIN), revents: 0)
    while !finish.isRaised {
      let left = due - MonotonicTime.now.nanoseconds
      if left >= 1_000_000 {
        _ = poll(&wait, 1, Int32(min(left / 1_000_000, 60_000)))
      } else {
        guard left > 0 else { return }
        var time = timespec(tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil)
      }
    }
  }
}

/// A file on the host that is written piece by piece.
private final class CSVFile: Sendable {
  private let path: String
  private let descriptor: Int32

  init(_ path: String) throws(PlainFailure) {
    self.path = path
    descriptor = kelvin_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw PlainFailure(.infrastructure, "\(path): \(Errno.current)")
    }
  }

  deinit { close(descriptor) }

  func write(_ bytes: [UInt8]) throws(PlainFailure) {
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), bytes.count - offset)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw PlainFailure(.infrastructure, "\(path): \(Errno.current)") }
      offset += count
    }
  }
}
