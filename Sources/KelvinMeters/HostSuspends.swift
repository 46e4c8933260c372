internal import KelvinModel
internal import KelvinSystem

/// Suspends of this machine while something else's clock stamps the samples. Used by one thread.
struct HostSuspends {
  private var watch = SuspendWatch()
  /// How often.
  private(set) var count: Int64 = 0

  /// Looks for one since the last look, and tells the sink, before the samples that have just come.
  ///
  /// - Parameters:
  ///   - now: CLOCK_MONOTONIC, read just now.
  ///   - latest: the last stamp of another clock that goes on meanwhile; nil where stamps are of this machine's
  ///     monotonic one.
  mutating func look(at now: Int64, latest: Int64?, _ sink: any BlockSink) {
    guard var suspension = watch.look(at: now) else { return }
    count += 1
    if let latest {
      suspension.to = latest &+ (suspension.to &- suspension.from) &+ suspension.unseen
      (suspension.from, suspension.unseen) = (latest, 0)
    }
    sink.take(suspension.event)
  }

  /// A mapping of another clock to the monotonic one, which stood still meanwhile: before or after, it is off by the
  /// time asleep, and nobody looks where. So much doubt, rectangular.
  func doubt(_ fit: ClockFit) -> ClockFit {
    guard watch.asleep > 0 else { return fit }
    var fit = fit
    let asleep = Double(watch.asleep)
    fit.uncertainty = (fit.uncertainty * fit.uncertainty + asleep * asleep / 12).squareRoot()
    fit.residual = max(fit.residual, asleep)
    return fit
  }
}
