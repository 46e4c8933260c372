internal import KelvinMeters
internal import KelvinModel
internal import KelvinSystem

/// A meter that measures for a while, and what came of it.
struct MeterTrial: Sendable {
  var figures: [MeterStatistics.ChannelFigures]
  var events: [CaptureEvent]
  var summary: CaptureSummary

  /// How long the first value may take, in seconds.
  private static let patience = 15.0

  /// Measures; the board's thread is blocked meanwhile.
  ///
  /// - Throws: when it cannot be started, or was interrupted.
  static func take(
    _ meter: any Meter, seconds: Double, interrupt: Interrupt
  ) async throws -> MeterTrial {
    let sink = MeterStatistics(meter.channels)
    try await meter.start(into: sink, until: .after(seconds: patience, interrupt: interrupt))
    // From the first value of each channel on: to reach the meter took its own time.
    let first = Deadline.after(seconds: patience, interrupt: interrupt)
      .ended(with: meter)
    while sink.fewest == 0, !first.hasPassed, !first.isInterrupted {
      _ = first.limited(toSeconds: 0.01).wait()
    }
    _ = Deadline.after(seconds: seconds, interrupt: interrupt).ended(with: meter).wait()
    let summary = await meter.stop(until: .after(seconds: patience))
    if interrupt.isRaised {
      throw MeterFailure(.interrupted, "\(meter.identity.name): stopped")
    }
    return MeterTrial(figures: sink.figures, events: sink.events, summary: summary)
  }
}
