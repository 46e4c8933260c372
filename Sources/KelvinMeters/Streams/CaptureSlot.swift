internal import KelvinModel
internal import Synchronization

/// The captures of a meter, one at a time: the present one, and what the one before came to.
final class CaptureSlot: Sendable {
  private let meter: String
  private let state: Mutex<(capture: CaptureThread?, last: CaptureSummary)>

  /// - Parameters:
  ///   - meter: its name, for messages.
  ///   - channels: how many it has.
  init(of meter: String, channels: Int) {
    self.meter = meter
    state = Mutex((nil, CaptureSummary(samples: Array(repeating: 0, count: channels))))
  }

  deinit { state.withLock { $0.capture }?.abandon() }

  /// Raised when the present capture has ended, by itself or not; nil without one.
  var isOver: Interrupt? { state.withLock { $0.capture?.isOver } }

  /// Whether there is one.
  var isBusy: Bool { state.withLock { $0.capture != nil } }

  /// - Throws: `busy` when there is one.
  func requireIdle() throws(MeterFailure) {
    guard !isBusy else { throw MeterFailure(.busy, "\(meter): it measures already") }
  }

  /// Keeps one that has begun.
  func keep(_ capture: CaptureThread) { state.withLock { $0.capture = capture } }

  /// Ends it. Idempotent.
  ///
  /// - Returns: what it came to; without one, what the one before did.
  func end() -> CaptureSummary {
    guard let capture = state.withLock({ $0.capture }) else { return state.withLock { $0.last } }
    let summary = capture.end()
    state.withLock { $0 = (nil, summary) }
    return summary
  }
}
