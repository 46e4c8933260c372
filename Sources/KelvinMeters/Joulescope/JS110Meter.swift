internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A Joulescope JS110.
///
/// Opening it sets nothing, but ends what a predecessor that was killed had it stream. When it measures first it is set as
/// the bench file says, which connects the board; that stays when it is closed, unless the bench file says
/// otherwise: it stands between the board and its supply, and would cut it.
final class JS110Meter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double?
  private let port: JS110Port
  private let calibration: JS110Calibration
  /// As it was when it was opened.
  private let found: JS110Settings
  private let state: Mutex<State>

  struct State {
    var options: JS110Options
    /// Whether no current is to flow.
    var isCut = false
    /// Of what was set, as it was found before.
    var inputs: JS110Inputs?
    var isSet = false
    var capture: CaptureThread?
    var last: CaptureSummary
    var isClosed = false
  }

  init(
    _ identity: MeterIdentity, _ port: JS110Port, _ calibration: JS110Calibration,
    _ options: JS110Options, found: JS110Settings
  ) {
    self.identity = identity
    self.port = port
    self.calibration = calibration
    self.found = found
    channels =
      options.isStatistics
      ? JS110StatisticsPoller.channels(options.accuracy)
      : Self.channels(
        hasInputs: options.hasInputs, options.accuracy, calibration: calibration)
    rate = options.isStatistics ? 2 : JS110Worker.rate
    state = Mutex(
      State(options: options, last: CaptureSummary(samples: channels.map { _ in 0 })))
  }

  deinit { state.withLock { $0.capture }?.abandon() }

  var isOver: Interrupt? { state.withLock { $0.capture?.isOver } }

  /// - Parameter calibration: that tells their ranges; nil: they are not known yet.
  static func channels(
    hasInputs: Bool, _ accuracy: [MeterChannel.Kind: Accuracy], calibration: JS110Calibration?
  ) -> [Channel] {
    func range(_ lines: [JS110Calibration.Line]?) -> ClosedRange<Double>? {
      lines?.first.map { $0.offset * $0.gain...($0.offset + 16_383) * $0.gain }
    }
    let channels = [
      Channel(
        name: "current", unit: "A", scale: JS110Decoder.currentScale, kind: .current,
        range: range(calibration?.current), accuracy: accuracy[.current]),
      Channel(
        name: "voltage", unit: "V", scale: JS110Decoder.voltageScale, kind: .voltage,
        range: range(calibration?.voltage), accuracy: accuracy[.voltage])
    ]
    return hasInputs ? channels + DigitalLines.channels(named: ["in0", "in1"]) : channels
  }

  // MARK: measuring

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    try requireIdle()
    let options = state.withLock { $0.options }
    try await setInputs(options, until: deadline)
    try await apply(isStreaming: false, until: deadline)
    if options.isStatistics {
      let port = port
      let capture = try CaptureThread("js110", of: identity.name) { isAsked, hasBegun in
        var poller = JS110StatisticsPoller(port, into: sink)
        return poller.run(isAsked, hasBegun)
      }
      // It computes twice a second, and what it has when it is asked first may be old.
      try capture.begin(withinSeconds: 10, hint: "does it measure at all?", until: deadline)
      return state.withLock { $0.capture = capture }
    }
    try await port.drain(until: deadline)
    let stream = JS110Stream(
      calibration, hasInputs: options.hasInputs, isFiltered: options.isFiltered)
    let flow = USBFlow(
      port.name, port.interface, JS110Port.endpoint, options: JS110Worker.options,
      JS110Worker(identity.name, stream, hasInputs: options.hasInputs, into: sink))
    let capture = try CaptureThread("js110", of: identity.name) { isAsked, hasBegun in
      flow.run(isAsked, hasBegun)
    }
    do throws(MeterFailure) {
      try await apply(isStreaming: true, until: deadline)
      try capture.begin(withinSeconds: 10, hint: "does it measure at all?", until: deadline)
    } catch {
      try? await apply(isStreaming: false, until: .after(seconds: 2))
      _ = capture.end()
      throw error
    }
    state.withLock { $0.capture = capture }
  }

  func stop(until deadline: Deadline) async -> CaptureSummary {
    guard let capture = state.withLock({ $0.capture }) else { return state.withLock { $0.last } }
    // Its answer matters less than what has come.
    try? await apply(isStreaming: false, until: .after(seconds: 2))
    var summary = capture.end()
    summary.counts["on close"] = .text(closing)
    let result = summary
    state.withLock {
      $0.capture = nil
      $0.last = result
    }
    return result
  }

  private func requireIdle() throws(MeterFailure) {
    let (isBusy, isClosed) = state.withLock { ($0.capture != nil, $0.isClosed) }
    guard !isClosed else { throw MeterFailure(.gone, "\(identity.name): it was closed") }
    guard !isBusy else { throw MeterFailure(.busy, "\(identity.name): it measures already") }
  }

  // MARK: setting

  private func apply(isStreaming: Bool, until deadline: Deadline) async throws(MeterFailure) {
    let (options, isCut) = state.withLock { state in
      // From here on it may be set, whatever becomes of the request.
      state.isSet = true
      return (state.options, state.isCut)
    }
    let settings = JS110Settings(
      isCut ? .off : options.ranging, options.voltageRange, isStreaming: isStreaming)
    try await port.set(settings, until: deadline)
  }

  private func setInputs(
    _ options: JS110Options, until deadline: Deadline
  ) async throws(MeterFailure) {
    guard !options.isStatistics else { return }
    let before = try await port.inputs(until: deadline)
    var inputs = before
    inputs.areRecorded = options.hasInputs
    if let millivolts = options.millivolts { inputs.millivolts = millivolts }
    guard inputs != before else { return }
    state.withLock { $0.inputs = $0.inputs ?? before }
    try await port.set(inputs, until: deadline)
  }

  /// `output` (boolean): whether current can flow; `current-range` and `voltage-range`; also while it measures.
  func set(_ values: [MeterSetting], until deadline: Deadline) async throws(MeterFailure) {
    guard !state.withLock({ $0.isClosed }) else {
      throw MeterFailure(.gone, "\(identity.name): it was closed")
    }
    var (options, isCut) = state.withLock { ($0.options, $0.isCut) }
    for setting in values {
      switch (setting.name, setting.value) {
      case ("output", .boolean(let isOn)): isCut = !isOn
      case ("current-range", .text(let text)):
        guard let ranging = JS110Ranging(name: text) else { throw refusal(setting) }
        options.ranging = ranging
      case ("voltage-range", .text(let text)):
        guard let range = JS110VoltageRange(name: text) else { throw refusal(setting) }
        options.voltageRange = range
      default: throw refusal(setting)
      }
    }
    let (wanted, isWanted) = (options, isCut)
    let isStreaming = state.withLock { state in
      (state.options, state.isCut) = (wanted, isWanted)
      return state.capture != nil && !state.options.isStatistics
    }
    try await apply(isStreaming: isStreaming, until: deadline)
  }

  private func refusal(_ setting: MeterSetting) -> MeterFailure {
    MeterFailure(
      .invalid, "\(identity.name): '\(setting.name)' cannot be set to \(setting.value.display)",
      hint: "it takes 'output' (true, false), 'current-range' ("
        + JS110Options.rangeNames.joined(separator: ", ") + ") and 'voltage-range' (15 V, 5 V)")
  }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] {
    let settings = try await port.settings(until: deadline)
    let inputs = try await port.inputs(until: deadline)
    let status = try await port.status(until: deadline)
    return [
      MeterProperty("device", identity.location),
      MeterProperty("found as", Self.words(found)), MeterProperty("set to", Self.words(settings)),
      MeterProperty("inputs", "\(inputs.millivolts) mV"),
      MeterProperty("frames that it discarded", "\(status.discarded)"),
      MeterProperty("on close", closing)
    ]
  }

  private static func words(_ settings: JS110Settings) -> String {
    guard settings.isPowered else { return "off: no current flows" }
    let current = JS110Ranging(select: settings.select)?.name ?? "\(settings.select)"
    return "current \(current), voltage \(settings.voltage.name)"
  }

  /// What will become of it, or has, for people.
  private var closing: String {
    let state = state.withLock { $0 }
    guard state.isSet else { return "as found" }
    guard state.options.isLeft else { return "put back to '\(Self.words(found))'" }
    return state.isCut ? "left disconnected" : "left connected"
  }

  func close() async {
    _ = await stop(until: .after(seconds: 10))
    let state = state.withLock { $0 }
    guard !state.isClosed else { return }
    if !state.options.isLeft {
      if let inputs = state.inputs { try? await port.set(inputs, until: .after(seconds: 2)) }
      if state.isSet { try? await port.set(found, until: .after(seconds: 2)) }
    }
    port.close()
    self.state.withLock { $0.isClosed = true }
  }
}
