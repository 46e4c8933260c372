internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A USB tester of FNIRSI's. Nothing of it is set or switched.
final class FNIRSIMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double? = 1e9 / Double(FNIRSIReport.period)
  private let port: FNIRSIPort
  private let isChecked: Bool
  private let state: Mutex<State>

  private struct State {
    var capture: CaptureThread?
    var last: CaptureSummary
    var isClosed = false
  }

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
    state = Mutex(State(last: CaptureSummary(samples: channels.map { _ in 0 })))
  }

  deinit { state.withLock { $0.capture }?.abandon() }

  var isOver: Interrupt? { state.withLock { $0.capture?.isOver } }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    let (isBusy, isClosed) = state.withLock { ($0.capture != nil, $0.isClosed) }
    guard !isClosed else { throw MeterFailure(.gone, "\(identity.name): it was closed") }
    guard !isBusy else { throw MeterFailure(.busy, "\(identity.name): it measures already") }
    let flow = FNIRSIFlow(port, FNIRSIWorker(identity.name, isChecked: isChecked, into: sink))
    let capture = try CaptureThread("fnirsi", of: identity.name) { isAsked, hasBegun in
      flow.run(isAsked, hasBegun)
    }
    try capture.begin(
      withinSeconds: 5, hint: "unplug it and plug it in again", until: deadline)
    state.withLock { $0.capture = capture }
  }

  func stop(until deadline: Deadline) async -> CaptureSummary {
    guard let capture = state.withLock({ $0.capture }) else { return state.withLock { $0.last } }
    let summary = capture.end()
    state.withLock {
      $0.capture = nil
      $0.last = summary
    }
    return summary
  }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] {
    [
      MeterProperty("device", identity.location),
      MeterProperty("checksum", isChecked ? "must be right" : "is not looked at")
    ]
  }

  func close() async {
    _ = await stop(until: .after(seconds: 10))
    let isFirst = state.withLock { state in
      defer { state.isClosed = true }
      return !state.isClosed
    }
    if isFirst { port.close() }
  }
}
