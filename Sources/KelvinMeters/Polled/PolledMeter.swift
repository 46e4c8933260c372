internal import KelvinModel
internal import KelvinSystem

/// A meter that is asked for its values at a steady rate, and of which nothing is set.
final class PolledMeter: Meter {
  let identity: MeterIdentity
  let rate: Double?
  private let source: any PolledSource
  private let patience: Double
  private let properties: [MeterProperty]
  private let slot: CaptureSlot

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
    slot = CaptureSlot(of: identity.name, channels: source.channels.count)
  }

  var isOver: Interrupt? { slot.isOver }

  var channels: [Channel] { source.channels }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    try slot.requireIdle()
    let (source, rate, patience) = (source, rate ?? 1, patience)
    let capture = try CaptureThread("polled", of: source.name) { isAsked, hasBegun in
      var worker = PolledWorker(source, rate: rate, patience: patience, into: sink)
      return worker.run(until: isAsked, hasBegun: hasBegun)
    }
    try capture.begin(
      withinSeconds: Int(patience.rounded(.up)) + 2, hint: "is it what the bench file says?",
      until: deadline)
    slot.keep(capture)
  }

  func stop(until deadline: Deadline) async -> CaptureSummary { slot.end() }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] { properties }

  func close() async { _ = await stop(until: .after(seconds: 10)) }
}
