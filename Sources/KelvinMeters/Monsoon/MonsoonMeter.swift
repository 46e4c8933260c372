internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A Monsoon Power Monitor, HVPM or LVPM.
///
/// Nothing is set before it measures first or is told to; the output that it then switched on stays on from
/// one measurement to the next, and is switched off when the meter is closed, unless the bench file says
/// otherwise.
final class MonsoonMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double? = MonsoonModel.rate
  private let port: MonsoonPort
  private let model: MonsoonModel
  /// As its own memory has them.
  let scales: MonsoonScales
  private let state: Mutex<State>

  private struct State {
    var options: MonsoonOptions
    var supply: MonsoonSupply
    /// In volts, what the output was set to when it was opened; 0: off.
    var found: Double
    var capture: CaptureThread?
    var last: CaptureSummary
    var isClosed = false
  }

  init(
    _ identity: MeterIdentity, _ port: MonsoonPort, _ model: MonsoonModel, _ scales: MonsoonScales,
    _ options: MonsoonOptions, found: Double
  ) {
    self.identity = identity
    self.port = port
    self.model = model
    self.scales = scales
    channels = Self.channels(model, options)
    state = Mutex(
      State(
        options: options, supply: MonsoonSupply(port, model), found: found,
        last: CaptureSummary(samples: channels.map { _ in 0 })))
  }

  deinit { state.withLock { $0.capture }?.abandon() }

  var isOver: Interrupt? { state.withLock { $0.capture?.isOver } }

  private static func channels(_ model: MonsoonModel, _ options: MonsoonOptions) -> [Channel] {
    options.sites.flatMap { site in
      var channels = [
        Channel(
          name: "\(site.name)-current", unit: "A", scale: MonsoonStream.scale, site: site.name,
          kind: .current, accuracy: options.accuracy[.current],
          averagingTime: Double(MonsoonModel.period) / 1e9)
      ]
      if site.voltage != nil {
        channels.append(
          Channel(
            name: "\(site.name)-voltage", unit: "V", scale: model.voltageStep(site),
            site: site.name, kind: .voltage, accuracy: options.accuracy[.voltage],
            averagingTime: Double(MonsoonModel.period) / 1e9))
      }
      return channels
    }
  }

  // MARK: measuring

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    let options = state.withLock { $0.options }
    try requireIdle("it measures already")
    try await apply(options, until: deadline)
    let flow = USBFlow(
      port.name, port.interface, MonsoonPort.endpoint, options: MonsoonWorker.options,
      MonsoonWorker(
        identity.name, model, scales, sites: options.sites, columns: channels.count, into: sink))
    let capture = try CaptureThread("monsoon", of: identity.name) { isAsked, hasBegun in
      flow.run(isAsked, hasBegun)
    }
    do throws(MeterFailure) {
      try await port.start(until: deadline)
      // Five of its own calibrations have to come first, one each 1.25 s at worst.
      try capture.begin(
        withinSeconds: 10, hint: "it never calibrated itself; unplug it and plug it in again",
        until: deadline)
    } catch {
      try? await port.stop(until: .after(seconds: 2))
      _ = capture.end()
      throw error
    }
    state.withLock { $0.capture = capture }
  }

  func stop(until deadline: Deadline) async -> CaptureSummary {
    guard let capture = state.withLock({ $0.capture }) else { return state.withLock { $0.last } }
    // Its answer matters less than what has come.
    try? await port.stop(until: .after(seconds: 2))
    var summary = capture.end()
    let (supply, isLeft) = state.withLock { ($0.supply, $0.options.isLeft) }
    summary.counts["on close"] = .text(supply.report(isLeft: isLeft))
    let result = summary
    state.withLock {
      $0.capture = nil
      $0.last = result
    }
    return result
  }

  private func requireIdle(_ why: String) throws(MeterFailure) {
    let (isBusy, isClosed) = state.withLock { ($0.capture != nil, $0.isClosed) }
    guard !isClosed else { throw MeterFailure(.gone, "\(identity.name): it was closed") }
    guard !isBusy else { throw MeterFailure(.busy, "\(identity.name): \(why)") }
  }

  // MARK: supplying

  /// Sets what the options say, where it is not so, and switches the output on.
  private func apply(
    _ options: MonsoonOptions, until deadline: Deadline
  ) async throws(MeterFailure) {
    var values: [MonsoonValue: UInt32] = [:]
    if let limit = options.powerUpLimit { values[.powerUpLimit] = model.raw(amperes: limit) }
    if let limit = options.runLimit { values[.runLimit] = model.raw(amperes: limit) }
    if let usb = options.usb { values[.usbPassthrough] = usb.raw }
    // Else the main voltage would be that of the auxiliary input.
    if options.sites != [.aux] { values[.voltageChannel] = 0 }
    var supply = state.withLock { $0.supply }
    // Kept whatever happens, since it knows what has to be put back.
    do throws(MeterFailure) {
      try await supply.set(values, until: deadline)
      let isNew = options.voltage != nil && supply.supplied != options.voltage
      if isNew, let voltage = options.voltage {
        try await supply.supply(voltage, until: deadline)
      }
      keep(supply)
      guard isNew else { return }
    } catch {
      keep(supply)
      throw error
    }
    guard deadline.limited(toSeconds: options.settle).wait() != .interrupted else {
      throw MeterFailure(.interrupted, "\(identity.name): stopped")
    }
  }

  private func keep(_ supply: MonsoonSupply) { state.withLock { $0.supply = supply } }

  /// `voltage` ('3.7 V'), `output` (boolean), `usb`, `power-up-limit` and `current-limit` ('2 A'), while it
  /// does not measure: it takes nothing meanwhile.
  func set(_ values: [MeterSetting], until deadline: Deadline) async throws(MeterFailure) {
    var options = state.withLock { $0.options }
    var output: Bool?
    for setting in values {
      switch (setting.name, setting.value) {
      case ("voltage", let value):
        options.voltage = try quantity(value, .voltage, setting)
      case ("power-up-limit", let value):
        options.powerUpLimit = try quantity(value, .current, setting)
      case ("current-limit", let value):
        options.runLimit = try quantity(value, .current, setting)
      case ("usb", .text(let text)):
        guard let usb = MonsoonPassthrough(rawValue: text) else { throw refusal(setting) }
        options.usb = usb
      case ("output", .boolean(let isOn)): output = isOn
      default: throw refusal(setting)
      }
    }
    try options.check(model, of: identity.name)
    if output == true, options.voltage == nil {
      throw MeterFailure(
        .invalid, "\(identity.name): without a voltage its output is not switched on",
        hint: "give 'voltage'")
    }
    try requireIdle("nothing is set while it measures")
    let isSupplying = state.withLock { $0.supply.supplied != nil }
    let wanted = options
    state.withLock { $0.options = wanted }
    if output == false {
      var supply = state.withLock { $0.supply }
      try await supply.cut(until: deadline)
      return keep(supply)
    }
    // A voltage alone switches nothing on.
    if output != true, !isSupplying { options.voltage = nil }
    try await apply(options, until: deadline)
  }

  private func quantity(
    _ value: Value, _ dimension: Dimension, _ setting: MeterSetting
  ) throws(MeterFailure) -> Double {
    if let number = value.number { return number }
    guard let text = value.text, let quantity = Quantity(text),
      quantity.unit?.dimension == dimension
    else { throw refusal(setting) }
    return quantity.value
  }

  private func refusal(_ setting: MeterSetting) -> MeterFailure {
    MeterFailure(
      .invalid, "\(identity.name): '\(setting.name)' cannot be set to \(setting.value.display)",
      hint: "it takes 'voltage' (such as '3.7 V'), 'output' (true, false), 'usb' (off, on, auto), "
        + "'power-up-limit' and 'current-limit' (such as '2 A')")
  }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] {
    let (options, supply, found) = state.withLock { ($0.options, $0.supply, $0.found) }
    var properties = [
      MeterProperty("device", identity.location),
      MeterProperty("output found", found > 0 ? "set to \(found) V" : "off")
    ]
    if let voltage = options.voltage {
      properties.append(MeterProperty("voltage", "\(voltage) V, measured as well"))
    }
    properties.append(MeterProperty("on close", supply.report(isLeft: options.isLeft)))
    // It answers nothing else while it samples.
    guard state.withLock({ $0.capture == nil }) else { return properties }
    let set = try await port.get(.mainVoltage, until: deadline)
    let start = try await port.get(.powerUpLimit, until: deadline)
    let run = try await port.get(.runLimit, until: deadline)
    let usb = try await port.get(.usbPassthrough, until: deadline)
    let mode = MonsoonPassthrough.allCases.first { $0.raw == usb }?.rawValue ?? "\(usb)"
    properties += [
      MeterProperty("output", set > 0 ? "set to \(MonsoonModel.volts(raw: set)) V" : "off"),
      MeterProperty("power-up limit", "\(model.amperes(raw: start)) A"),
      MeterProperty("current limit", "\(model.amperes(raw: run)) A"),
      MeterProperty("USB passthrough", mode)
    ]
    return properties
  }

  func close() async {
    _ = await stop(until: .after(seconds: 10))
    guard !state.withLock({ $0.isClosed }) else { return }
    var supply = state.withLock { $0.supply }
    if !state.withLock({ $0.options.isLeft }) { try? await supply.undo(until: .after(seconds: 3)) }
    port.close()
    let last = supply
    state.withLock {
      $0.supply = last
      $0.isClosed = true
    }
  }
}
