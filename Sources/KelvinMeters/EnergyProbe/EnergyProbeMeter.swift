internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// An Arm Energy Probe.
final class EnergyProbeMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double? = Double(EnergyProbeLimits.rate)
  private let port: EnergyProbePort
  private let options: EnergyProbeOptions
  private let vendor: String
  private let state: Mutex<State>

  private struct State {
    var capture: CaptureThread?
    var last: CaptureSummary
  }

  /// How long nothing may come, in seconds: longer than its numbers take to come round, so that a stall of
  /// just that length is told as what it is.
  private static let patience = 8.0

  /// - Parameter port: that is in sync, and silent.
  init(
    _ identity: MeterIdentity, _ port: EnergyProbePort, _ options: EnergyProbeOptions,
    vendor: String
  ) {
    self.identity = identity
    self.port = port
    self.options = options
    self.vendor = vendor
    channels = options.channels
    state = Mutex(State(last: CaptureSummary(samples: channels.map { _ in 0 })))
  }

  deinit { state.withLock { $0.capture }?.abandon() }

  var isOver: Interrupt? { state.withLock { $0.capture?.isOver } }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    guard state.withLock({ $0.capture == nil }) else {
      throw MeterFailure(.busy, "\(identity.name): it measures already")
    }
    try port.choose(options.ports, until: deadline)
    let capture = try capture(into: sink)
    try capture.begin(withinSeconds: 3, hint: "is it an Energy Probe?", until: deadline)
    state.withLock { $0.capture = capture }
  }

  private func capture(into sink: any BlockSink) throws(MeterFailure) -> CaptureThread {
    let (port, fields) = (port, channels.count)
    let plan = StreamPlan(
      name: identity.name, title: "an Energy Probe", line: port.line,
      period: Double(EnergyProbeLimits.period), counter: "frame number of 16 bits",
      patience: Self.patience, channels: fields,
      start: { () throws(MeterFailure) in try port.start(until: .after(seconds: 2)) },
      stop: { () throws(MeterFailure) in try port.stop() })
    return try CaptureThread("energy-probe", of: identity.name) { isAsked, hasBegun in
      var worker = StreamWorker(
        plan, EnergyProbeFraming(fields: fields), EnergyProbeDecoder(fields: fields), into: sink,
        hasBegun: hasBegun)
      return worker.run(until: isAsked)
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
    var properties = [MeterProperty("port", port.line.path), MeterProperty("vendor", vendor)]
    for port in options.ports {
      let fields = port.fields.map(\.rawValue).joined(separator: ", ")
      properties.append(
        MeterProperty(
          "channel \(port.number)",
          "\(port.site), shunt \(port.milliohms) mohm, up to \(port.greatest) A: \(fields)"))
    }
    return properties
  }

  /// Ends measuring; nothing else of it was changed.
  func close() async { _ = await stop(until: .after(seconds: 10)) }
}
