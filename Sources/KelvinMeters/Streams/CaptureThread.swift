internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A capture on a thread of its own, for meters whose samples are read by blocking calls.
final class CaptureThread: Sendable {
  /// Raised when the first samples have been given out.
  private let hasBegun = Interrupt()
  /// Raised when it has ended, by itself or not.
  let isOver = Interrupt()
  private let isAsked = Interrupt()
  private let result = Mutex(CaptureSummary(samples: []))
  private let thread = Mutex<NamedThread?>(nil)
  private let meter: String

  /// Begins it.
  ///
  /// - Parameters:
  ///   - name: of the thread, of up to 15 bytes.
  ///   - meter: its name, for messages.
  ///   - work: captures until the first interrupt is raised, and raises the second one when it has given
  ///     out the first samples; what it returns is the capture's summary.
  /// - Throws: `malfunction` when there is no thread to be had.
  init(
    _ name: String, of meter: String,
    _ work: @escaping @Sendable (_ isAsked: Interrupt, _ hasBegun: Interrupt) -> CaptureSummary
  ) throws(MeterFailure) {
    self.meter = meter
    do throws(PlainFailure) {
      let thread = try NamedThread(name) { [self] in
        let summary = work(isAsked, hasBegun)
        result.withLock { $0 = summary }
        isOver.raise()
      }
      self.thread.withLock { $0 = thread }
    } catch {
      throw MeterFailure(.malfunction, "\(meter): \(error.message)")
    }
  }

  /// Waits for the first samples; where there are none, the capture is ended.
  ///
  /// - Throws: what ended the capture; `interrupted`; `timedOut` with the hint.
  func begin(
    withinSeconds seconds: Int, hint: String, until deadline: Deadline
  ) throws(MeterFailure) {
    _ = deadline.limited(toSeconds: Double(seconds)).ended(by: [hasBegun, isOver]).wait()
    guard !hasBegun.isRaised else { return }
    let summary = end()
    if deadline.isInterrupted { throw MeterFailure(.interrupted, "\(meter): stopped") }
    throw summary.failure
      ?? MeterFailure(.timedOut, "\(meter): no sample in \(seconds) s", hint: hint)
  }

  /// Ends it, after what was on its way, and waits for that. Idempotent.
  func end() -> CaptureSummary {
    isAsked.raise()
    thread.take()?.join()
    return result.withLock { $0 }
  }

  /// Ends it without waiting.
  func abandon() { isAsked.raise() }
}
