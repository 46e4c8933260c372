internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// A USB tester of FNIRSI's. Nothing of it is set or switched.
final class FNIRSIMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double? = 1e9 / Double(FNIRSIReport.period)
  private let port: FNIRSIPort
  private let isChecked: Bool
  private let slot: CaptureSlot
  private let isClosed = Once()

  init(
    _ identity: MeterIdentity, _ port: FNIRSIPort, isChecked: Bool,
    accuracy: [MeterChannel.Kind: Accuracy]
  ) {
    self.identity = identity
    self.port = port
    self.isChecked = isChecked
    channels = FNIRSIReport.channels.map { channel in
      var channel = channel
      channel.accuracy = channel.kind.flatMap { accuracy[$0] }
      return channel
    }
    slot = CaptureSlot(of: identity.name, channels: channels.count)
  }

  var isOver: Interrupt? { slot.isOver }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    guard !isClosed.hasBegun else { throw MeterFailure(.gone, "\(identity.name): it was closed") }
    try slot.requireIdle()
    let flow = FNIRSIFlow(port, FNIRSIWorker(identity.name, isChecked: isChecked, into: sink))
    let capture = try CaptureThread("fnirsi", of: identity.name) { isAsked, hasBegun in
      flow.run(isAsked, hasBegun)
    }
    try capture.begin(
      withinSeconds: 5, hint: "unplug it and plug it in again", until: deadline)
    slot.keep(capture)
  }

  func stop(until deadline: Deadline) async -> CaptureSummary { slot.end() }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] {
    [
      MeterProperty("device", identity.location),
      MeterProperty("checksum", isChecked ? "must be right" : "is not looked at")
    ]
  }

  func close() async {
    _ = await stop(until: .after(seconds: 10))
    if isClosed.begin() { port.close() }
  }
}
