internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A capture from a device of this machine, on a thread of its own that ends with ``end()``.
final class IIOCapture: Sendable {
  /// Raised when it has ended, by itself or not.
  let isOver = Interrupt()
  private let stopping = Interrupt()
  private let thread: NamedThread
  private let result: Result

  private final class Result: Sendable { let summary = Mutex(CaptureSummary(samples: [])) }

  init(_ start: IIOStart, into sink: any BlockSink) throws(MeterFailure) {
    let (stopping, isOver, result) = (stopping, isOver, Result())
    self.result = result
    do throws(PlainFailure) {
      thread = try NamedThread("iio") {
        let worker = IIOCaptureWorker(start, into: sink, stopping)
        let summary = worker.run()
        result.summary.withLock { $0 = summary }
        isOver.raise()
      }
    } catch {
      _ = start.undo.run()
      throw MeterFailure(.malfunction, error.message)
    }
  }

  deinit { stopping.raise() }

  /// Ends it, and puts the device back. Idempotent.
  @discardableResult
  func end() -> CaptureSummary {
    stopping.raise()
    thread.join()
    return result.summary.withLock { $0 }
  }
}

/// What the thread owns.
private final class IIOCaptureWorker {
  private let start: IIOStart
  private let sink: any BlockSink
  private let stopping: Interrupt
  private var stream: IIOScanStream
  private var fitter = IIOClockFitter(shortestDelay: 0)
  private var buffer: [UInt8]
  private var reads: Int64 = 0
  private var overflows: Int64 = 0
  private var observed: Int64 = .min
  private var suspends = HostSuspends()

  init(_ start: IIOStart, into sink: any BlockSink, _ stopping: Interrupt) {
    self.start = start
    self.sink = sink
    self.stopping = stopping
    stream = IIOScanStream(start.plan, into: sink)
    let size = start.plan.layout.size
    // As much as the buffer holds, up to 1 MiB: then one read empties it.
    buffer = [UInt8](repeating: 0, count: max(1, min(start.length, (1 << 20) / size)) * size)
  }

  func run() -> CaptureSummary {
    _ = kelvin_set_timer_slack(1)
    let failure = capture()
    stream.finish()
    let left = start.undo.run()
    if !left.isEmpty {
      let now = stream.latest ?? MonotonicTime.now.nanoseconds
      sink.take(
        CaptureEvent(
          .error, from: now, to: now, note: "not put back: " + left.joined(separator: "; ")))
    }
    return summary(failure, left)
  }

  /// Until it is to stop, or the device fails.
  private func capture() -> MeterFailure? {
    let forever = Deadline(time: nil, interrupt: stopping)
    while true {
      switch forever.limited(toSeconds: patience).wait(for: start.descriptor) {
      case .interrupted:
        // What the kernel has still belongs to the capture.
        return drain()
      case .passed: return silent
      case .ready: if let failure = drain() { return failure }
      }
      // Without a watermark each scan would wake the thread.
      if start.watermark < 2, forever.limited(toSeconds: 0.005).wait() == .interrupted {
        return drain()
      }
    }
  }

  /// How long the device may be silent, in seconds.
  private var patience: Double {
    // Without a rate somebody else decides when there is a sample.
    start.rate.map { max(3, 10 * Double(start.watermark) / $0) } ?? 1e9
  }

  private var silent: MeterFailure {
    MeterFailure(
      .malfunction, "\(start.name): \(start.device.title) gave no sample for \(Int(patience)) s",
      hint: start.device.isShuntMonitor
        ? "where its conversion-ready flag never comes, 'async-readout: true' does without it" : "")
  }

  /// Reads until nothing is left; nil when all went well.
  private func drain() -> MeterFailure? {
    var drained = 0
    while true {
      let room = buffer.count
      let count = buffer.withUnsafeMutableBytes { read(start.descriptor, $0.baseAddress, room) }
      let arrival = MonotonicTime.now.nanoseconds
      if count < 0 {
        if errno == EINTR { continue }
        if errno == EAGAIN { return nil }
        return MeterFailure(iio: .current, "\(start.name): /dev/\(start.device.id)")
      }
      if count == 0 {
        return MeterFailure(.gone, "\(start.name): /dev/\(start.device.id): ended")
      }
      let size = stream.scanSize
      guard count % size == 0 else {
        return MeterFailure(
          .malfunction, "\(start.name): \(count) bytes came, where a scan has \(size)",
          hint: "did another program change which channels are enabled?")
      }
      drained += count / size
      take(count, arrival, isFull: drained >= start.length)
      // At the end a device that is faster than its reader would go on for ever.
      if count < room || stopping.isRaised && drained >= start.length { return nil }
    }
  }

  /// - Parameter isFull: the buffer was full: the kernel threw away what came then (kfifo_buf.c,
  ///   iio_store_to_kfifo).
  private func take(_ count: Int, _ arrival: Int64, isFull: Bool) {
    reads += 1
    if isFull { overflows += 1 }
    suspends.look(at: arrival, latest: isHost ? nil : stream.latest, sink)
    stream.take(
      buffer.span.bytes.extracting(0..<count), arrival: arrival,
      note: isFull ? "the buffer was full" : "")
    guard arrival &- observed > 100_000_000 || observed == .min else { return }
    observed = arrival
    switch start.clock {
    case _ where start.plan.timestamp == nil, .foreign:
      if let latest = stream.latest { fitter.take(meter: latest, host: arrival) }
    case .local(let clock):
      let (meter, host) = IIOClock.observe(clock)
      fitter.take(meter: meter, host: host)
    case .monotonic: break
    }
  }

  /// Whether samples have times of this machine's monotonic clock: their own, or those of their arrival.
  private var isHost: Bool { start.clock == .monotonic || start.plan.timestamp == nil }

  private func summary(_ failure: MeterFailure?, _ left: [String]) -> CaptureSummary {
    var counts: [String: Value] = ["reads": .integer(reads), "full buffers": .integer(overflows)]
    if let period = stream.period { counts["measured rate"] = .number(1e9 / period) }
    if suspends.count > 0 { counts["suspends"] = .integer(suspends.count) }
    if !left.isEmpty { counts["not put back"] = .list(left.map { .text($0) }) }
    return CaptureSummary(
      samples: Array(repeating: stream.scans, count: start.plan.channels.count), lost: stream.lost,
      witnesses: start.plan.timestamp == nil
        ? ["full buffers"] : ["time stamps against rate", "full buffers"],
      clock: start.clock == .monotonic && start.plan.timestamp != nil
        ? .host : suspends.doubt(fitter.fit ?? .host), hostCPU: kelvin_cpu_time(1), counts: counts,
      failure: failure)
  }
}
