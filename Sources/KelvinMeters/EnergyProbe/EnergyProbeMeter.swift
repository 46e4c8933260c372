internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// An Arm Energy Probe.
final class EnergyProbeMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double? = Double(EnergyProbeLimits.rate)
  private let port: EnergyProbePort
  private let options: EnergyProbeOptions
  private let vendor: String
  private let slot: CaptureSlot

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
    slot = CaptureSlot(of: identity.name, channels: channels.count)
  }

  var isOver: Interrupt? { slot.isOver }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    try slot.requireIdle()
    try port.choose(options.ports, until: deadline)
    let capture = try capture(into: sink)
    try capture.begin(withinSeconds: 3, hint: "is it an Energy Probe?", until: deadline)
    slot.keep(capture)
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

  func stop(until deadline: Deadline) async -> CaptureSummary { slot.end() }

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
