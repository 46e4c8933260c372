internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A USB tester on a serial line. Nothing of it is set or switched.
final class TesterMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double?
  private let port: TesterPort
  private let language: any TesterLanguage
  private let state: Mutex<State>

  private struct State {
    var capture: CaptureThread?
    var last: CaptureSummary
  }

  /// - Parameters:
  ///   - driver: its name.
  ///   - reading: what it said when it was opened.
  init(
    driver: String, verified: String, _ port: TesterPort, _ language: any TesterLanguage,
    _ options: TesterOptions, _ reading: TesterReading
  ) {
    self.port = port
    self.language = language
    rate = language.question == nil ? nil : options.rate
    channels = language.channels.map { channel in
      var channel = channel
      channel.accuracy = channel.kind.flatMap { options.accuracy[$0] }
      return channel
    }
    identity = MeterIdentity(
      name: port.name, driver: driver, model: reading.model, serial: reading.serial,
      firmware: reading.firmware, location: port.line.path, range: "", verified: verified)
    state = Mutex(State(last: CaptureSummary(samples: channels.map { _ in 0 })))
  }

  deinit { state.withLock { $0.capture }?.abandon() }

  var isOver: Interrupt? { state.withLock { $0.capture?.isOver } }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    guard state.withLock({ $0.capture == nil }) else {
      throw MeterFailure(.busy, "\(identity.name): it measures already")
    }
    _ = try port.strays()
    let capture = try capture(into: sink)
    try capture.begin(
      withinSeconds: Int((6 * port.patience).rounded(.up)) + 2, hint: "is it \(language.title)?",
      until: deadline)
    state.withLock { $0.capture = capture }
  }

  private func capture(into sink: any BlockSink) throws(MeterFailure) -> CaptureThread {
    let (port, language, rate) = (port, language, rate)
    return try CaptureThread("usb-tester", of: identity.name) { isAsked, hasBegun in
      guard let question = language.question else {
        var listener = TesterListener(port, language, into: sink)
        return listener.run(until: isAsked, hasBegun: hasBegun)
      }
      var poller = TesterPoller(
        port, language, question: question, rate: rate ?? 10, into: sink)
      return poller.run(until: isAsked, hasBegun: hasBegun)
    }
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
    var properties = [MeterProperty("port", port.line.path)]
    if let rate { properties.append(MeterProperty("asked", "\(rate) times a second")) }
    properties.append(MeterProperty("loss witness", language.witness))
    return properties
  }

  func close() async { _ = await stop(until: .after(seconds: 10)) }
}
