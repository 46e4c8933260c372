internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A Nordic Power Profiler Kit II.
///
/// The board is connected when it measures first, and disconnected when the meter is closed, whatever
/// happened in between; the meter itself disconnects it within half a second of its port's closing.
final class PPK2Meter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double? = PPK2Limits.rate
  private let port: PPK2Port
  private let options: PPK2Options
  private let metadata: PPK2Metadata
  private let slot: CaptureSlot
  private let state: Mutex<State>

  private struct State {
    var voltage: StatedQuantity?
    var isConnected = false
    /// Whether mode and voltage were sent.
    var isSet = false
  }

  /// - Parameter port: that is silent.
  init(
    _ identity: MeterIdentity, _ port: PPK2Port, _ options: PPK2Options,
    _ metadata: PPK2Metadata
  ) throws(MeterFailure) {
    self.identity = identity
    self.port = port
    self.options = options
    self.metadata = metadata
    channels = Self.channels(options)
    slot = CaptureSlot(of: identity.name, channels: channels.count)
    state = Mutex(State(voltage: options.voltage))
    _ = try calibration(options.voltage)
  }

  var isOver: Interrupt? { slot.isOver }

  private static func channels(_ options: PPK2Options) -> [Channel] {
    var channels = [
      Channel(
        name: "current", unit: "A", scale: PPK2Decoder.scale, kind: .current,
        range: PPK2Limits.current, accuracy: options.accuracy ?? PPK2Accuracy.typical,
        averagingTime: Double(PPK2Limits.period) / 1e9)
    ]
    channels += options.inputs.map { Channel(name: "D\($0)", unit: "", kind: .logic) }
    if let voltage = options.voltage {
      channels.append(
        Channel(
          name: "voltage", unit: "V", scale: 1e-3, kind: .voltage,
          accuracy: PPK2Accuracy.voltage(voltage, options.mode)))
    }
    return channels
  }

  private func calibration(
    _ voltage: StatedQuantity?
  ) throws(MeterFailure) -> PPK2Calibration {
    guard let calibration = PPK2Calibration(metadata, volts: voltage?.value ?? 0) else {
      throw MeterFailure(
        .malfunction, "\(identity.name): its calibration gives currents of no sense",
        evidence: metadata.numbers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
          .joined(separator: ", "),
        hint: "calibrate it with Nordic's Power Profiler app")
    }
    return calibration
  }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    try slot.requireIdle()
    try connect(until: deadline)
    let capture = try capture(into: sink)
    try capture.begin(withinSeconds: 3, hint: "is it a PPK2?", until: deadline)
    slot.keep(capture)
  }

  private func capture(into sink: any BlockSink) throws(MeterFailure) -> CaptureThread {
    let voltage = state.withLock { $0.voltage }
    let decoder = PPK2Decoder(try calibration(voltage), isFiltered: options.isFiltered)
    let millivolts = voltage.map { Int64(($0.value * 1000).rounded()) }
    let port = port
    let plan = StreamPlan(
      name: identity.name, title: "a PPK2", line: port.line, period: Double(PPK2Limits.period),
      counter: "six-bit counter", patience: 1, channels: channels.count,
      start: { () throws(MeterFailure) in try port.send(.start, until: .after(seconds: 2)) },
      stop: { () throws(MeterFailure) in try port.send(.stop, until: .after(seconds: 2)) })
    let samples = PPK2Samples(decoder, inputs: options.inputs, millivolts: millivolts)
    return try CaptureThread("ppk2", of: identity.name) { isAsked, hasBegun in
      var worker = StreamWorker(plan, PPK2Framing(), samples, into: sink, hasBegun: hasBegun)
      return worker.run(until: isAsked)
    }
  }

  /// Sets mode and voltage, and connects the board, where that is not done.
  private func connect(until deadline: Deadline) throws(MeterFailure) {
    let (voltage, isSet, isConnected) = state.withLock {
      ($0.voltage, $0.isSet, $0.isConnected)
    }
    if !isSet {
      try port.send(.mode(options.mode), until: deadline)
      if options.mode == .source, let voltage {
        let millivolts = UInt16((voltage.value * 1000).rounded())
        try port.send(.voltage(millivolts: millivolts), until: deadline)
      }
      state.withLock { $0.isSet = true }
    }
    guard !isConnected else { return }
    // From here on it may be, whatever becomes of the answerless command.
    state.withLock { $0.isConnected = true }
    try port.send(.output(true), until: deadline)
    guard deadline.limited(toSeconds: options.settle).wait() != .interrupted else {
      throw MeterFailure(.interrupted, "\(identity.name): stopped")
    }
  }

  func stop(until deadline: Deadline) async -> CaptureSummary { slot.end() }

  /// `voltage` (text, '3.3 V'), while it does not measure, and `output` (boolean).
  func set(_ values: [MeterSetting], until deadline: Deadline) async throws(MeterFailure) {
    var voltage: StatedQuantity?
    var output: Bool?
    for setting in values {
      switch (setting.name, setting.value) {
      case ("voltage", .text(let text)):
        voltage = try options.voltage(text, of: identity.name)
      case ("output", .boolean(let isOn)): output = isOn
      default:
        throw MeterFailure(
          .invalid, "\(identity.name): '\(setting.name)' cannot be set to \(setting.value.display)",
          hint: "it takes 'voltage', such as '3.3 V', and 'output', true or false")
      }
    }
    if let voltage {
      guard options.voltage != nil else {
        throw MeterFailure(
          .invalid,
          "\(identity.name): it was opened without a voltage, and so without that channel",
          hint: "give 'voltage' in the bench file")
      }
      guard !slot.isBusy else {
        throw MeterFailure(
          .busy, "\(identity.name): the voltage is not changed while it measures")
      }
      state.withLock {
        $0.voltage = voltage
        $0.isSet = false
      }
    }
    switch output {
    case true?: try connect(until: deadline)
    case false?:
      try port.send(.output(false), until: deadline)
      state.withLock { $0.isConnected = false }
    case nil: break
    }
  }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] {
    let state = state.withLock { $0 }
    var properties = [
      MeterProperty("port", port.line.path), MeterProperty("mode", options.mode.rawValue),
      MeterProperty(
        "calibrated",
        metadata.isCalibrated.map { $0 ? "by its maker, it says" : "not, it says" } ?? "")
    ]
    let found = [metadata.mode?.rawValue, metadata.voltage.map { "\($0) mV" }].compactMap(\.self)
    if !found.isEmpty {
      properties.append(MeterProperty("found as", found.joined(separator: ", ")))
    }
    if let hardware = metadata.hardware {
      properties.append(MeterProperty("hardware", "\(hardware)"))
    }
    if let voltage = state.voltage {
      let what = options.mode == .source ? "supplied, not measured" : "stated, not measured"
      properties.append(MeterProperty("voltage", "\(voltage.value) V, \(what)"))
    }
    properties.append(
      MeterProperty("board", state.isConnected ? "connected, until it is closed" : "not connected"))
    return properties
  }

  func close() async {
    _ = await stop(until: .after(seconds: 10))
    guard state.withLock({ $0.isConnected }) else { return }
    try? port.send(.output(false), until: .after(seconds: 1))
    state.withLock { $0.isConnected = false }
  }
}
