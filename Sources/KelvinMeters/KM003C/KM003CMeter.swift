internal import KelvinModel
internal import KelvinSystem

/// ChargerLAB's POWER-Z KM003C or KM002C.
///
/// It measures what goes through it, and supplies nothing; nothing of it is set but that it queues samples while
/// it is read.
final class KM003CMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double?
  private let options: KM003COptions
  private let session: KM003CSession
  private let says: KM003CIdentity
  /// Gives the device back.
  private let release: @Sendable () -> Void
  private let slot: CaptureSlot
  private let isClosed = Once()

  init(
    _ identity: MeterIdentity, _ session: KM003CSession, _ says: KM003CIdentity,
    _ options: KM003COptions, release: @escaping @Sendable () -> Void
  ) {
    self.identity = identity
    self.session = session
    self.says = says
    self.options = options
    self.release = release
    channels = options.channels
    rate = options.reading == .queue ? Double(options.queueRate.hertz) : options.rate
    slot = CaptureSlot(of: identity.name, channels: options.columns.count)
  }

  var isOver: Interrupt? { slot.isOver }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    guard !isClosed.hasBegun else { throw MeterFailure(.gone, "\(identity.name): it was closed") }
    try slot.requireIdle()
    if options.reading == .queue { try queue(until: deadline) }
    let capture = try CaptureThread("km003c", of: identity.name) {
      [session, options] isAsked, hasBegun in
      guard options.reading == .queue else {
        var poller = KM003CPoller(session, options, into: sink)
        return poller.run(until: isAsked, hasBegun: hasBegun)
      }
      var worker = KM003CQueueWorker(session, options, into: sink)
      return worker.run(until: isAsked, hasBegun: hasBegun)
    }
    try capture.begin(
      withinSeconds: 15, hint: "unplug it and plug it in again", until: deadline)
    slot.keep(capture)
  }

  /// Has it queue samples, after what a predecessor may have begun.
  private func queue(until deadline: Deadline) throws(MeterFailure) {
    guard let hardware = try session.memory(.hardware, until: deadline) else {
      throw MeterFailure(
        .unsupported, "\(identity.name): it does not tell what its queue is opened by",
        hint: "'reading: values' needs none of that")
    }
    try session.authenticate(hardware: hardware, until: deadline)
    try session.stopGraph(until: deadline)
    try session.startGraph(options.queueRate, until: deadline)
  }

  func stop(until deadline: Deadline) async -> CaptureSummary { slot.end() }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] {
    var properties = [
      MeterProperty("device", identity.location), MeterProperty("reads", identity.range)
    ]
    if !says.hardware.isEmpty { properties.append(MeterProperty("hardware", says.hardware)) }
    properties.append(
      MeterProperty(
        "positive current", options.isReversed ? "from plug to socket" : "from socket to plug"))
    return properties
  }

  func close() async {
    _ = await stop(until: .after(seconds: 10))
    guard isClosed.begin() else { return }
    try? session.disconnect(until: .after(seconds: 1))
    release()
  }
}
