internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A meter that is asked for its values at a steady rate, and of which nothing is set.
final class PolledMeter: Meter {
  let identity: MeterIdentity
  let rate: Double?
  private let source: any PolledSource
  private let patience: Double
  private let properties: [MeterProperty]
  private let state: Mutex<(capture: CaptureThread?, last: CaptureSummary)>

  /// - Parameter rate: in hertz.
  init(
    _ identity: MeterIdentity, _ source: any PolledSource, rate: Double, patience: Double,
    properties: [MeterProperty]
  ) {
    self.identity = identity
    self.source = source
    self.rate = rate
    self.patience = patience
    self.properties = properties
    state = Mutex((nil, CaptureSummary(samples: source.channels.map { _ in 0 })))
  }

  var isOver: Interrupt? { state.withLock { $0.capture?.isOver } }

  deinit { state.withLock { $0.capture }?.abandon() }

  var channels: [Channel] { source.channels }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    guard state.withLock({ $0.capture == nil }) else {
      throw MeterFailure(.busy, "\(identity.name): it measures already")
    }
    let (source, rate, patience) = (source, rate ?? 1, patience)
    let capture = try CaptureThread("polled", of: source.name) { isAsked, hasBegun in
      var worker = PolledWorker(source, rate: rate, patience: patience, into: sink)
      return worker.run(until: isAsked, hasBegun: hasBegun)
    }
    try capture.begin(
      withinSeconds: Int(patience.rounded(.up)) + 2, hint: "is it what the bench file says?",
      until: deadline)
    state.withLock { $0.capture = capture }
  }

  func stop(until deadline: Deadline) async -> CaptureSummary {
    guard let capture = state.withLock({ $0.capture }) else { return state.withLock { $0.last } }
    let summary = capture.end()
    state.withLock { $0 = (nil, summary) }
    return summary
  }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] { properties }

  func close() async { _ = await stop(until: .after(seconds: 10)) }
}
